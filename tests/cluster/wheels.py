"""Python packages for images, fetched on the host with the host's own pip settings.

A build that fetched them itself would need this machine's index, proxy and
certificates inside the image.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
from pathlib import Path

from tests.cluster.places import Places
from tests.cluster.shell import ClusterError, Command, run, say, step, succeeds

_PYTHON = "3.11"  # of the base image: Debian 12
_GLIBC_MINOR = 36


def _platforms() -> list[str]:
    machine = platform.machine()
    names = [f"manylinux_2_{minor}_{machine}" for minor in range(_GLIBC_MINOR, 16, -1)]
    return names + [f"manylinux{name}_{machine}" for name in ("2014", "2010", "1")]


# What pip is told of the image, whatever the host is.
_TARGET = (
    "--no-deps", "--require-hashes", "--only-binary=:all:", "--python-version", _PYTHON,
    *(f"--platform={name}" for name in _platforms()),
)  # fmt: skip


def install_packages(places: Places, requirements: Path, folder: Path) -> None:
    """Put locked packages into a folder that an image can have on its PYTHONPATH; raise
    ClusterError without pip.
    """
    pip, wheels = _pip(places), download_wheels(places, requirements)
    if pip is None or wheels is None:
        raise ClusterError("the AWS servers' packages need pip: install it for this Python")
    command: Command = [*pip, "install", "-q", "--no-index", "--find-links", wheels, *_TARGET]
    command += [
        "--no-compile",
        "--disable-pip-version-check",
        "--target",
        folder,
        "-r",
        requirements,
    ]
    run(command, limit=300)


def _pip(places: Places) -> Command | None:
    """Return this Python's pip, else the one beside the uv that make
    installs; None without either.
    """
    for python in (sys.executable, places.cache / "uv/bin/python"):
        command: Command = [python, "-m", "pip"]
        if Path(python).exists() and succeeds([*command, "--version"], limit=60):
            return command
    return None


def download_wheels(places: Places, requirements: Path) -> Path | None:
    """Return a folder with every locked package; None without pip, when the
    build has to fetch them.
    """
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    folder = places.cache / "wheels" / digest
    if folder.exists():
        return folder
    pip = _pip(places)
    if pip is None:
        say("wheels: this Python has no pip, so the image build fetches packages itself")
        return None
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = [*pip, "download", "-q", *_TARGET]
    with step("download wheels"):
        run([*command, "-r", requirements, "-d", partial], limit=300)
    partial.replace(folder)
    return folder
