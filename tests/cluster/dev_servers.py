"""The S3, the Git and the AWS servers that tests use, as pods, so that any
kind of cluster can have them.
"""

from __future__ import annotations

from pathlib import Path
from string import Template

from tests.cluster import AwsServer, Cluster, GitServer
from tests.cluster.places import Places
from tests.cluster.probe import answers
from tests.cluster.shell import run, wait_until

_MANIFESTS = Path(__file__).parent / "manifests"
_IMAGE, _AWS_IMAGE = "penstock-dev-servers:dev", "penstock-aws-servers:dev"
_GIT_HOST_IMAGE, _GIT_HOST_NODE_PORT = "penstock-git-host:dev", 30300
_S3_NODE_PORT, _GIT_NODE_PORT = 30070, 30080
_AWS_NODE_PORT, _MOTO_NODE_PORT, _SERVERLESSREPO_NODE_PORT = 30456, 30500, 30458

# Test keys, not secrets: the servers hold nothing but test data and end with the cluster.
_ACCESS_KEY, _SECRET_KEY = "penstock-test", "penstock-test-secret-key"
_GIT_USER, _GIT_PASSWORD = "git", "penstock-test-password"
_REGION = "eu-central-1"


def describe(
    places: Places, kind: str, kubeconfig: Path, node_ip: str, audit_log: Path | None
) -> Cluster:
    """Return the cluster's description, with the servers at their node ports."""

    def aws_server(node_port: int, cluster_endpoint: str) -> AwsServer:
        return AwsServer(
            f"http://{node_ip}:{node_port}", cluster_endpoint, _ACCESS_KEY, _SECRET_KEY, _REGION
        )

    return Cluster(
        kind=kind,
        kubeconfig=str(kubeconfig),
        node_ip=node_ip,
        s3=aws_server(_S3_NODE_PORT, "http://s3.penstock-dev:7070"),
        aws=aws_server(_AWS_NODE_PORT, "http://aws.penstock-dev:4566"),
        moto=aws_server(_MOTO_NODE_PORT, "http://moto.penstock-dev:5000"),
        serverlessrepo=aws_server(
            _SERVERLESSREPO_NODE_PORT, "http://serverlessrepo.penstock-dev:8080"
        ),
        git=GitServer(
            url=f"http://{node_ip}:{_GIT_NODE_PORT}",
            cluster_url="http://git.penstock-dev",
            user=_GIT_USER,
            password=_GIT_PASSWORD,
        ),
        git_host=GitServer(
            url=f"http://{node_ip}:{_GIT_HOST_NODE_PORT}",
            cluster_url="http://git-host.penstock-dev",
            user=_GIT_USER,
            password=_GIT_PASSWORD,
        ),
        audit_log=str(audit_log) if audit_log else None,
        bin_dir=str(places.bin_dir),
        image="penstock:dev",
    )


def kubectl(
    places: Places, kubeconfig: Path, *words: str, stdin: str | None = None, limit: float = 60
) -> str:
    """Run our kubectl against a cluster."""
    return run(
        [places.bin_dir / "kubectl", f"--kubeconfig={kubeconfig}", *words], limit=limit, stdin=stdin
    )


def apply(places: Places, kubeconfig: Path) -> None:
    """Create the S3 and the Git server."""
    text = Template((_MANIFESTS / "dev-servers.yaml").read_text()).substitute(
        image=_IMAGE,
        access_key=_ACCESS_KEY,
        secret_key=_SECRET_KEY,
        git_user=_GIT_USER,
        git_password=_GIT_PASSWORD,
        region=_REGION,
        s3_node_port=_S3_NODE_PORT,
        git_node_port=_GIT_NODE_PORT,
    )
    _apply(places, kubeconfig, text)


def apply_aws(places: Places, kubeconfig: Path) -> None:
    """Create the AWS servers and the Git host, when all that is waited for is there.

    They take a while to start.
    """
    text = Template((_MANIFESTS / "aws-servers.yaml").read_text()).substitute(
        image=_AWS_IMAGE,
        region=_REGION,
        aws_node_port=_AWS_NODE_PORT,
        moto_node_port=_MOTO_NODE_PORT,
        serverlessrepo_node_port=_SERVERLESSREPO_NODE_PORT,
        git_host_image=_GIT_HOST_IMAGE,
        git_host_node_port=_GIT_HOST_NODE_PORT,
    )
    _apply(places, kubeconfig, text)


def _apply(places: Places, kubeconfig: Path, text: str) -> None:
    kubectl(
        places, kubeconfig, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text
    )


def ready(cluster: Cluster) -> bool:
    """Tell whether the S3 and the Git server answer from here."""
    return answers(f"{cluster.s3.endpoint}/healthz") and answers(f"{cluster.git.url}/healthz")


def wait(cluster: Cluster, limit: float) -> None:
    """Wait until both servers answer from here."""
    wait_until("S3 and Git servers", lambda: ready(cluster), limit=limit)
