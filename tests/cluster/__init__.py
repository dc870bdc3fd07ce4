"""A real Kubernetes on this machine, for tests, benchmarks and the demo.

`python3 -m tests.cluster up` starts it (see README.md); tests read what it wrote with `load()`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from tests.cluster.places import Places


@dataclass(frozen=True)
class AwsServer:
    """Where a server with an API of AWS's listens, as seen from this machine
    and from a pod, and its test keys.
    """

    endpoint: str
    cluster_endpoint: str
    access_key: str
    secret_key: str
    region: str

    def to_json(self) -> dict[str, str]:
        """Return its part of cluster.json."""
        return {
            "endpoint": self.endpoint,
            "clusterEndpoint": self.cluster_endpoint,
            "accessKey": self.access_key,
            "secretKey": self.secret_key,
            "region": self.region,
        }

    @classmethod
    def from_json(cls, part: dict[str, str]) -> AwsServer:
        """Read what `to_json` wrote."""
        keys = ("endpoint", "clusterEndpoint", "accessKey", "secretKey", "region")
        return cls(*(part[key] for key in keys))


@dataclass(frozen=True)
class GitServer:
    """Where the Git server listens; repositories under /private/ want the user and password."""

    url: str
    cluster_url: str
    user: str
    password: str

    def to_json(self) -> dict[str, str]:
        """Return its part of cluster.json."""
        return {
            "url": self.url,
            "clusterUrl": self.cluster_url,
            "user": self.user,
            "password": self.password,
        }

    @classmethod
    def from_json(cls, part: dict[str, str]) -> GitServer:
        """Read what `to_json` wrote."""
        return cls(*(part[key] for key in ("url", "clusterUrl", "user", "password")))


@dataclass(frozen=True)
class Cluster:
    """All that a test has to know about the cluster it runs against.

    ``aws`` emulates AWS with CloudFormation that rolls back (ministack), ``moto`` what it has not
    (moto), ``serverlessrepo`` what neither has; ``git_host`` is a Gitea, with pull requests and
    webhooks. `up` does not wait for these: `tests.support.aws_servers` and
    `tests.support.git_host` do.
    """

    kind: str
    kubeconfig: str
    node_ip: str
    s3: AwsServer
    aws: AwsServer
    moto: AwsServer
    serverlessrepo: AwsServer
    git: GitServer
    git_host: GitServer
    audit_log: str | None
    bin_dir: str
    image: str

    def to_json(self) -> dict[str, Any]:
        """Return the document that cluster.json holds."""
        return {
            "kind": self.kind,
            "kubeconfig": self.kubeconfig,
            "nodeIP": self.node_ip,
            "s3": self.s3.to_json(),
            "aws": self.aws.to_json(),
            "moto": self.moto.to_json(),
            "serverlessrepo": self.serverlessrepo.to_json(),
            "git": self.git.to_json(),
            "gitHost": self.git_host.to_json(),
            "auditLog": self.audit_log,
            "binDir": self.bin_dir,
            "image": self.image,
        }


def from_json(document: dict[str, Any]) -> Cluster:
    """Read what `Cluster.to_json` wrote; a missing key is an error, never a default."""
    return Cluster(
        kind=document["kind"],
        kubeconfig=document["kubeconfig"],
        node_ip=document["nodeIP"],
        s3=AwsServer.from_json(document["s3"]),
        aws=AwsServer.from_json(document["aws"]),
        moto=AwsServer.from_json(document["moto"]),
        serverlessrepo=AwsServer.from_json(document["serverlessrepo"]),
        git=GitServer.from_json(document["git"]),
        git_host=GitServer.from_json(document["gitHost"]),
        audit_log=document["auditLog"],
        bin_dir=document["binDir"],
        image=document["image"],
    )


def load() -> Cluster:
    """Return the cluster that `up` left for this checkout.

    Raises FileNotFoundError with the command to run when there is none, so
    that a fixture can pass it on; and PermissionError for a cluster of
    somebody else's that was allowed once, and is not now.
    """
    places = Places.of_this_checkout()
    if not is_described(places):
        raise FileNotFoundError(
            f"{places.cluster_json}: start a cluster with `python3 -m tests.cluster up`"
        )
    found = from_json(json.loads(places.cluster_json.read_text()))
    if found.kind == "given" and os.environ.get("PENSTOCK_USE_KUBECONFIG") != "yes":
        raise PermissionError(
            f"{found.kubeconfig} names a cluster that this checkout did not start: set "
            f"PENSTOCK_USE_KUBECONFIG=yes to use it"
        )
    return found


def is_described(places: Places) -> bool:
    """Tell whether there is a description, and none that another version of this driver wrote."""
    try:
        from_json(json.loads(places.cluster_json.read_text()))
    except (FileNotFoundError, KeyError):
        return False
    return True
