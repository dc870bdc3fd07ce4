"""A real Kubernetes on this machine, for tests, benchmarks and the demo.

`python3 -m tests.cluster up` starts it (see README.md); tests read what it wrote with `load()`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.cluster.places import Places


@dataclass(frozen=True)
class S3Server:
    """Where the S3 server listens, as seen from this machine and from a pod, and its test keys."""

    endpoint: str
    cluster_endpoint: str
    access_key: str
    secret_key: str
    region: str


@dataclass(frozen=True)
class GitServer:
    """Where the Git server listens; repositories under /private/ want the user and password."""

    url: str
    cluster_url: str
    user: str
    password: str


@dataclass(frozen=True)
class Cluster:
    """All that a test has to know about the cluster it runs against."""

    kind: str
    kubeconfig: str
    node_ip: str
    s3: S3Server
    git: GitServer
    audit_log: str | None
    bin_dir: str
    image: str

    def to_json(self) -> dict[str, Any]:
        """Return the document that cluster.json holds."""
        return {
            "kind": self.kind,
            "kubeconfig": self.kubeconfig,
            "nodeIP": self.node_ip,
            "s3": {
                "endpoint": self.s3.endpoint,
                "clusterEndpoint": self.s3.cluster_endpoint,
                "accessKey": self.s3.access_key,
                "secretKey": self.s3.secret_key,
                "region": self.s3.region,
            },
            "git": {
                "url": self.git.url,
                "clusterUrl": self.git.cluster_url,
                "user": self.git.user,
                "password": self.git.password,
            },
            "auditLog": self.audit_log,
            "binDir": self.bin_dir,
            "image": self.image,
        }


def from_json(document: dict[str, Any]) -> Cluster:
    """Read what `Cluster.to_json` wrote; a missing key is an error, never a default."""
    s3, git = document["s3"], document["git"]
    return Cluster(
        kind=document["kind"],
        kubeconfig=document["kubeconfig"],
        node_ip=document["nodeIP"],
        s3=S3Server(s3["endpoint"], s3["clusterEndpoint"], s3["accessKey"], s3["secretKey"], s3["region"]),
        git=GitServer(git["url"], git["clusterUrl"], git["user"], git["password"]),
        audit_log=document["auditLog"],
        bin_dir=document["binDir"],
        image=document["image"],
    )


def load() -> Cluster:
    """Return the cluster that `up` left for this checkout.

    Raises FileNotFoundError with the command to run when there is none, so that a fixture can pass it on.
    """
    document = Places.of_this_checkout().cluster_json
    if not document.exists():
        raise FileNotFoundError(f"{document}: start a cluster with `python3 -m tests.cluster up`")
    return from_json(json.loads(document.read_text()))
