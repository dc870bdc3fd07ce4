"""A cluster in Docker containers, by kind, for machines with a Docker daemon.

Not tried where this was written: there was no Docker daemon. PENSTOCK_CLUSTER=local chooses the
local cluster even where Docker answers.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from tests.cluster import buildah, dev_servers, given, is_described
from tests.cluster.binaries import KIND, ensure
from tests.cluster.images import (
    AWS_SERVERS,
    BUILD,
    BUILD_PACKAGES,
    DEV_SERVERS,
    GIT_HOST,
    PENSTOCK,
    Image,
)
from tests.cluster.places import CHECKOUT, Places
from tests.cluster.shell import run, step, succeeds, write

_NAME = "penstock"
_PUBLIC_BASE = "docker.io/library/debian:12-slim"


def wanted(_: Places) -> bool:
    """Tell whether to use kind: Docker's daemon answers, not merely its client is installed."""
    if os.environ.get("PENSTOCK_CLUSTER") == "local":
        return False
    return succeeds(["docker", "info"], limit=5)


def _kubeconfig(places: Places) -> Path:
    return places.state / "kind.kubeconfig"


def _kind(places: Places, *words: str, limit: float) -> str:
    ensure(places, (KIND,))
    return run([KIND.path(places), *words], limit=limit)


def problems(places: Places) -> list[str]:
    """Return what keeps the cluster from being healthy."""
    if not is_described(places) or not _kubeconfig(places).exists():
        return ["not started, or not to the end"]
    address = given.node_ip(places, _kubeconfig(places))
    cluster = dev_servers.describe(places, "kind", _kubeconfig(places), address, None)
    return [] if dev_servers.ready(cluster) else ["the S3 or Git server does not answer"]


def up(places: Places) -> None:
    """Create the cluster unless it exists, give it the servers' image and start them."""
    kubeconfig = _kubeconfig(places)
    places.state.mkdir(parents=True, exist_ok=True)
    if _NAME not in _kind(places, "get", "clusters", limit=60).split():
        with step("kind create cluster"):
            _kind(
                places,
                "create",
                "cluster",
                "--name",
                _NAME,
                "--kubeconfig",
                str(kubeconfig),
                limit=600,
            )
    _kind(
        places, "export", "kubeconfig", "--name", _NAME, "--kubeconfig", str(kubeconfig), limit=60
    )
    with step("image penstock-dev-servers"):
        _build_from_packages("penstock-base:dev", "python3", "git")
        _build_on_base(places, DEV_SERVERS)
    with step("image penstock-aws-servers"):
        _build_on_base(places, AWS_SERVERS)
    with step("image penstock-git-host"):
        _build_on_base(places, GIT_HOST)
    with step("image penstock-build"):
        _build_from_packages(BUILD.reference, *BUILD_PACKAGES)
        _load(places, BUILD)
    cluster = dev_servers.describe(
        places, "kind", kubeconfig, given.node_ip(places, kubeconfig), None
    )
    with step("S3 and Git servers"):
        dev_servers.apply(places, kubeconfig)
        dev_servers.wait(cluster, limit=180)
    dev_servers.apply_aws(places, kubeconfig)
    write(places.cluster_json, json.dumps(cluster.to_json(), indent=1) + "\n")


def aws(_: Places) -> None:
    """Add nothing: `up` has added the AWS servers."""


def down(places: Places) -> None:
    """Delete the cluster."""
    _kind(places, "delete", "cluster", "--name", _NAME, limit=120)
    places.cluster_json.unlink(missing_ok=True)


def image(places: Places) -> None:
    """Build the operator's image with Docker and load it onto the node."""
    with step("image penstock"):
        dockerfile = CHECKOUT / "operator/Dockerfile"
        run(
            ["docker", "build", "-q", "-f", dockerfile, "-t", PENSTOCK.reference, CHECKOUT],
            limit=600,
        )
        _load(places, PENSTOCK)


def _build_on_base(places: Places, wanted_image: Image) -> None:
    """Build servers' image with Docker, on a base with Python and git."""
    with tempfile.TemporaryDirectory(prefix="penstock-image-") as name:
        folder = Path(name)
        build: buildah.Build = wanted_image.prepare(places, folder)
        write(folder / "Dockerfile", build.dockerfile)
        arguments = ["--build-arg", "BASE=penstock-base:dev"]
        run(["docker", "build", "-q", *arguments, "-t", wanted_image.reference, folder], limit=600)
    _load(places, wanted_image)


def _build_from_packages(reference: str, *packages: str) -> None:
    """Build an image of Debian's packages with Docker."""
    install = (
        f"apt-get update -q && apt-get install -y -q --no-install-recommends {' '.join(packages)}"
    )
    dockerfile = f"FROM {_PUBLIC_BASE}\nRUN {install}\n"
    run(["docker", "build", "-q", "-t", reference, "-"], stdin=dockerfile, limit=600)


def _load(places: Places, wanted_image: Image) -> None:
    _kind(places, "load", "docker-image", wanted_image.reference, "--name", _NAME, limit=300)
