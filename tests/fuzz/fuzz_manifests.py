"""Manifests mean to us what they mean to kubectl, which is asked: whole files, as bytes.

What we apply is what kubectl would apply, object by object and value by value. A file that kubectl
takes may be refused only for one of the reasons of `STRICTER`, which say what to do.
"""

import re
import shutil
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from penstock.actions.execution import ActionError
from penstock.actions.kubernetes.manifests.dialect import json_number
from penstock.actions.kubernetes.manifests.files import rank_of, read_manifests
from tests.fuzz import kubectl
from tests.fuzz.finding import Finding
from tests.fuzz.yaml_files import file_of

WEIGHT = 2
BATCH = 400
STRICTER = re.compile(
    "|".join(
        [
            "apiVersion or kind is missing",
            "metadata.name is (missing|no text)",
            "quote (it|them)",
            "; save it as UTF-8",
            r"byte order mark \(U\+FEFF\) stands at the start of the line; remove it",
            "may not stand in YAML; remove it",
            "behind the end of a document nothing is read; begin the next",
            'found unexpected ":"; put a space behind it',
            "found unknown escape character; write",
            "what !!binary holds is no text",
            "no key; write the key itself",
            "a tag has no name; write one with a name",
            "comma stands right behind the tag .*; put a space",
        ]
    )
)
LAXER = re.compile("unknown escape character|found incompatible YAML document")
"""What kubectl refuses and we read, since it can only mean one thing:
``\\/``, and ``%YAML 1.2``.
"""


class Ours(NamedTuple):
    """What we make of a file: the objects in the order of their application,
    or why there are none.
    """

    objects: list[dict[str, Any]]
    refusal: str


def batch(random: Random, folder: Path) -> int:
    """Write files, read them, ask kubectl about all of them at once."""
    compare([file_of(random) for _ in range(BATCH)], folder)
    return BATCH


def compare(cases: list[bytes], folder: Path) -> None:
    """Raise Finding for the first file that means something else to kubectl."""
    answers = kubectl.ask(emptied(folder / "asked"), cases)
    for data, answer in zip(cases, answers, strict=True):
        if why := difference(ours(data, emptied(folder / "ours")), answer):
            raise Finding(f"{data!r}\n{why}")


def ours(data: bytes, folder: Path) -> Ours:
    """Return what we make of a file."""
    (folder / "case.yaml").write_bytes(data)
    try:
        found, _ = read_manifests(folder, "case.yaml", lambda _: b"")
    except ActionError as error:
        return Ours([], error.message)
    return Ours([item.body for item in found], "")


def difference(mine: Ours, theirs: kubectl.Answer) -> str:
    """Return how two readings differ, nothing if they do not."""
    told = f"we: {mine.refusal or mine.objects}\nkubectl: {theirs.refusal or theirs.objects}"
    if mine.refusal:
        is_excused = theirs.refusal or not theirs.objects or STRICTER.search(mine.refusal)
        return "" if is_excused else f"refused for no good reason\n{told}"
    if theirs.refusal:
        if LAXER.search(theirs.refusal):
            return ""
        return f"not refused\n{told}"
    wanted = sorted(theirs.objects, key=lambda item: rank_of(item["kind"]))
    is_same = [plain(labelled(item)) for item in mine.objects] == [plain(item) for item in wanted]
    return "" if is_same else f"read differently\n{told}"


def labelled(body: dict[str, Any]) -> dict[str, Any]:
    """Return an object with the label that kubectl puts on it; labels that
    are not all texts it drops.
    """
    labels = body["metadata"].get("labels") or {}
    kept = labels if all(isinstance(value, str) for value in labels.values()) else {}
    key, value = kubectl.LABEL
    return {**body, "metadata": {**body["metadata"], "labels": {**kept, key: value}}}


def plain(value: Any) -> Any:
    """Return a value in which numbers differ from booleans, and 1.0 is 1, as in JSON."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return ("number", json_number(value)) if is_number else value


def emptied(folder: Path) -> Path:
    """Return the folder with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder
