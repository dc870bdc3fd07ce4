"""Brings Penstock onto the cluster as a user would: the chart, a bucket, a Secret, a repository."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.cluster import Cluster
from tests.support.kube import Document, Kube, eventually

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = "penstock-system"
BUCKET = "penstock-artifacts"
STORE_SECRET = "artifact-store"
TRIGGERS: Document = {"replicas": 1, "pollSeconds": 2, "allowedHosts": ["git.penstock-dev"]}
BUILD_IMAGE = "docker.io/library/penstock-build:dev"


def store_values(cluster: Cluster, bucket: str = BUCKET) -> Document:
    """Return an artifactStore on the cluster's S3 server."""
    return {
        "type": "S3",
        "location": bucket,
        "endpoint": cluster.s3.cluster_endpoint,
        "region": cluster.s3.region,
        "credentials": {"secretName": STORE_SECRET},
    }


def chart_values(cluster: Cluster) -> Document:
    """Return the values that the demo installs the chart with."""
    repository, _, tag = cluster.image.rpartition(":")
    return {
        "image": {"repository": repository, "tag": tag},
        "defaultArtifactStore": store_values(cluster),
        "commandsImage": "docker.io/library/busybox:1.35",
        "buildImages": {"aws/codebuild/standard:7.0": BUILD_IMAGE},
        # One server that stands for all of AWS.
        "aws": {
            "region": cluster.serverlessrepo.region,
            "endpoint": cluster.serverlessrepo.cluster_endpoint,
        },
        # Account and rights are there, but nothing starts by itself: test_triggers runs the
        # process.
        "triggers": {"replicas": 0},
        # The tag stays when the image changes: without this an upgrade would leave the old operator
        # running.
        "podAnnotations": {"penstock.dev/image-sources": _sources()},
    }


def _sources() -> str:
    """Return a hash of everything that the image is made of."""
    digest = hashlib.sha256()
    paths = [
        *(ROOT / "operator" / "penstock").rglob("*.py"),
        ROOT / "operator" / "Dockerfile",
        ROOT / "requirements.txt",
    ]
    for path in sorted(paths):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def install_chart(cluster: Cluster, kube: Kube, values: Document | None = None) -> None:
    """Install or upgrade the chart and wait until its Deployments and definitions can be used."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({**chart_values(cluster), **(values or {})}, file)
        file.flush()
        helm(
            cluster, "upgrade", "--install", "penstock", str(ROOT / "charts" / "penstock"),
            "--namespace", SYSTEM,
            "--create-namespace", "--values", file.name, "--wait", "--timeout", "60s",
        )  # fmt: skip
    # A Lease that was not there is waited out: somebody may have held the one before.
    eventually(lambda: _holder(kube), 60, "an operator leads")


def _holder(kube: Kube) -> str:
    lease = kube.find("leases", SYSTEM, "penstock") or {}
    return str(lease.get("spec", {}).get("holderIdentity") or "")


def helm(cluster: Cluster, *arguments: str) -> str:
    """Run Helm against the cluster and return what it prints; raise
    RuntimeError with its own words.
    """
    return run(str(Path(cluster.bin_dir) / "helm"), "--kubeconfig", cluster.kubeconfig, *arguments)


def s3_client(cluster: Cluster) -> Any:
    """Return a boto3 client of the cluster's S3 server."""
    return boto3.client(
        "s3",
        endpoint_url=cluster.s3.endpoint,
        aws_access_key_id=cluster.s3.access_key,
        aws_secret_access_key=cluster.s3.secret_key,
        region_name=cluster.s3.region,
        config=Config(connect_timeout=5, read_timeout=20, s3={"addressing_style": "path"}),
    )


def make_bucket(cluster: Cluster, bucket: str = BUCKET) -> None:
    """Create a bucket; that it is there already is success."""
    try:
        s3_client(cluster).create_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in (
            "BucketAlreadyOwnedByYou",
            "BucketAlreadyExists",
        ):
            raise


def make_store_secret(
    cluster: Cluster, kube: Kube, namespace: str, name: str = STORE_SECRET
) -> None:
    """Create the Secret by which the agents of a namespace reach the S3 server."""
    keys = {"accessKeyId": cluster.s3.access_key, "secretAccessKey": cluster.s3.secret_key}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": keys}
    kube.apply([secret], namespace)


@dataclass(frozen=True)
class Repository:
    """A repository on the cluster's Git server, and the commit that was pushed last."""

    url: str
    cluster_url: str
    commit: str


def push_repository(
    cluster: Cluster,
    name: str,
    files: dict[str, str],
    *,
    message: str = "Publish",
    branch: str = "main",
    tag: str = "",
) -> Repository:
    """Push files as one new commit on a branch of a repository, which begins at main; what was on
    it before stays in its history. With a tag, push the commit as that, and move no branch.
    """
    url = f"{cluster.git.url}/{name}.git"
    with tempfile.TemporaryDirectory() as folder:
        git = (
            "git",
            "-C",
            folder,
            "-c",
            "user.name=Developer",
            "-c",
            "user.email=developer@example.com",
        )
        run(*git, "init", "-q", "-b", "main")
        run(*git, "remote", "add", "origin", url)
        for begin in dict.fromkeys((branch, "main")):
            fetched = subprocess.run(
                (*git, "fetch", "-q", "origin", begin),
                capture_output=True,
                timeout=30,
                check=False,
            )
            if fetched.returncode == 0:
                run(*git, "reset", "-q", "--hard", "FETCH_HEAD")
                break
        for path, text in files.items():
            file = Path(folder) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        run(*git, "add", "--all")
        run(*git, "commit", "-q", "--allow-empty", "-m", message)
        target = f"refs/tags/{tag}" if tag else f"refs/heads/{branch}"
        run(*git, "push", "-q", "origin", f"HEAD:{target}")
        commit = run(*git, "rev-parse", "HEAD").strip()
    return Repository(url, f"{cluster.git.cluster_url}/{name}.git", commit)


def files_below(folder: Path) -> dict[str, str]:
    """Return path to text for every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def run(*command: str) -> str:
    """Run a program and return what it prints; raise RuntimeError with its
    own words when it fails.
    """
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} …: {done.stderr.strip()}")
    return done.stdout
