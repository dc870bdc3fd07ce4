"""Asks the real kubectl what files of manifests mean: ``kubectl label --local`` reads as ``apply``
does, and no server.

kubectl is one of the programs of the tests' cluster (`tests.cluster.binaries`), which need not run.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.cluster.binaries import HYPERKUBE
from tests.cluster.places import Places
from tests.fuzz.finding import Finding

LABEL = ("asked", "yes")
_COMMAND = (
    "kubectl",
    "--kubeconfig=/dev/null",
    "label",
    "--local",
    f"{'='.join(LABEL)}",
    "-o",
    "json",
    "-f",
)
_FENCE = "penstock.dev/fence"
_LONGEST_S = 120


class Answer(NamedTuple):
    """What kubectl makes of a file: the objects in their order, and why it
    read no further, or nothing.
    """

    objects: list[dict[str, Any]]
    refusal: str


def ask(folder: Path, cases: list[bytes]) -> list[Answer]:
    """Return what kubectl makes of each file; one process reads all of them,
    with a fence before each.
    """
    for number, data in enumerate(cases):
        (folder / f"{number:05}-a.yaml").write_text(
            f"apiVersion: {_FENCE}\nkind: Fence\nmetadata: {{name: f}}\n"
        )
        (folder / f"{number:05}-b.yaml").write_bytes(data)
    done = subprocess.run(
        [program(), *_COMMAND, folder], capture_output=True, timeout=_LONGEST_S, check=False
    )
    told = done.stderr.decode(errors="replace")
    objects: list[list[dict[str, Any]]] = []
    for item in _stream(done.stdout.decode()):
        if item.get("apiVersion") == _FENCE:
            objects.append([])
        else:
            objects[-1].append(item)
    if len(objects) != len(cases):
        raise Finding(
            f"kubectl did not read all files: exit code {done.returncode}, {told[-2000:]}"
        )
    whys = _refusals(told)
    return [Answer(found, whys.get(number, "")) for number, found in enumerate(objects)]


def program() -> Path:
    """Return kubectl; raise Finding if it is not there, since nothing was compared then."""
    path = HYPERKUBE.path(Places.of_this_checkout())
    if not path.exists():
        raise Finding(f"{path}, which holds kubectl, is not there: `make kubectl` builds it")
    return path


def _refusals(told: str) -> dict[int, str]:
    """Return by number of a case what kubectl complains of; a complaint that
    names no file is one of all.
    """
    parts = re.split(r"(?=\S*/(\d{5})-b\.yaml)", told)
    return {
        int(number): text.strip() for number, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def _stream(text: str) -> Iterator[dict[str, Any]]:
    decoder, at, text = json.JSONDecoder(), 0, text.strip()
    while at < len(text):
        item, at = decoder.raw_decode(text, at)
        yield item
        while text[at : at + 1].isspace():
            at += 1
