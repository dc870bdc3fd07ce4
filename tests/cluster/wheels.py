"""The operator's Python packages, fetched on the host with the host's own pip settings.

A build that fetched them itself would need this machine's index, proxy and certificates inside the image.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
from pathlib import Path

from tests.cluster.places import Places
from tests.cluster.shell import run, say, step, succeeds

_PYTHON = "3.11"  # of the base image: Debian 12
_GLIBC_MINOR = 36


def download_wheels(places: Places, requirements: Path) -> Path | None:
    """Return a folder with every locked package; None without pip, when the build has to fetch them."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    folder = places.cache / "wheels" / digest
    if folder.exists():
        return folder
    if not succeeds([sys.executable, "-m", "pip", "--version"], limit=60):
        say("wheels: this Python has no pip, so the image build fetches packages itself")
        return None
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    machine = platform.machine()
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(_GLIBC_MINOR, 16, -1)]
    platforms += [f"manylinux{name}_{machine}" for name in ("2014", "2010", "1")]
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    command += ["--python-version", _PYTHON, *(f"--platform={name}" for name in platforms)]
    with step("download wheels"):
        run([*command, "-r", requirements, "-d", partial], limit=300)
    partial.replace(folder)
    return folder
