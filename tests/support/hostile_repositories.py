"""Repositories of somebody who means ill, and how fetching each must end;
unit and e2e tests share them.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.git_lfs import ATTRIBUTES, pointer
from tests.support.git_objects import FILE, FOLDER, LINK, Objects, Row

ARTIFACT_BYTES = 40_000_000
ARTIFACT_ENTRIES = 20_000
"""The limits that these repositories are beyond."""
TOO_LARGE = rf"Commit \w+ is larger than {ARTIFACT_ENTRIES} files or {ARTIFACT_BYTES} bytes"
MAKE_REFS = """
commit=$(git rev-parse main); n=0
while [ $n -lt 10000 ]; do echo "create refs/heads/many/$n $commit"; n=$((n + 1)); done |
  git update-ref --stdin
git pack-refs --all
"""
"""Run where the repository is: to push so many would take a minute."""
BRANCH = "a\"b$(id);'`x`ü|&<>!#%{}"
NAMES = (
    b"new\nline", b"tab\t", b"\x01\x1b[31m", b"\xff\xfe", b"--option", b"-rf", b"n" * 255, b" ",
    b"a ", b"back\\slash",
    b"*", b'"quoted"', b"a;$(id)", b"\xe2\x80\xae", b".git\xe2\x80\x8c",
)  # fmt: skip
"""File names that are legal and harmless."""


@dataclass(frozen=True)
class Hostile:
    """A repository. ``message`` is a pattern for the whole of what the user
    is told, empty where it arrives.
    """

    name: str
    build: Callable[[Objects], object]
    message: str = ""
    code: str = "JobFailed"
    configuration: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def bomb(leaf: Callable[[Objects], Row]) -> Callable[[Objects], object]:
    """Ten trees, each naming the next one ten times: small, and ten thousand million entries."""

    def build(objects: Objects) -> str:
        tree = objects.tree(leaf(objects))
        for _ in range(10):
            tree = objects.tree(*((FOLDER, b"%d" % number, tree) for number in range(10)))
        return objects.commit(tree)

    return build


def deep(objects: Objects) -> str:
    """Folders so deep that no system opens the last one's path."""
    tree = objects.files({b"file": b""})
    for _ in range(70):
        tree = objects.tree((FOLDER, b"d" * 60, tree))
    return objects.commit(tree)


def many_refs(objects: Objects) -> None:
    """Ten thousand branches beside main."""
    objects.commit(objects.files({b"a": b""}))
    subprocess.run(("sh", "-c", MAKE_REFS), cwd=objects.folder, check=True, timeout=60)


def names(*found: bytes) -> Callable[[Objects], object]:
    """Files of these names."""
    return lambda objects: objects.commit(objects.files(dict.fromkeys(found, b"x")))


def loop(objects: Objects) -> None:
    """A repository that is a submodule of itself, eleven times; a commit cannot name itself."""
    commit = objects.commit(objects.files({b"end": b""}))
    for number in range(11):
        objects.git("update-ref", f"refs/heads/step-{number}", commit)
        commit = objects.with_submodules({b"again": (f"../{objects.folder.name}", commit)})


def nul_in_message(objects: Objects) -> None:
    """A commit message with NUL and no encoding, and a date beyond all calendars."""
    tree = objects.files({b"a": b""})
    who = b"Eve <eve@example.com>"
    head = b"tree %s\nauthor %s 1 +0000\ncommitter %s 99999999999999999999 +0000\n" % (
        tree.encode(),
        who,
        who,
    )
    objects.raw_commit(head + b"\nbefore\0after\xff")


def _not_checked_out(git_says: str) -> str:
    return rf"Commit \w+ was not checked out: error: {git_says}"


_ATTRIBUTES = (
    b"* filter=x text eol=crlf ident working-tree-encoding=bogus diff=y merge=z export-subst\n"
)
_GIT_CONFIG = {b"config": b"[core]\nfsmonitor = touch /tmp/pwned\n"}
ARRIVING = (
    Hostile("refs", many_refs),
    Hostile("names", names(*NAMES)),
    Hostile(
        "branch",
        lambda o: o.commit(o.files({b"a": b""}), branch=BRANCH),
        configuration={"Branch": BRANCH},
    ),
    Hostile(
        "attributes", lambda o: o.commit(o.files({b".gitattributes": _ATTRIBUTES, b"a": b"$Id$\n"}))
    ),
    Hostile("long-message", lambda o: o.commit(o.files({b"a": b""}), b"x" * 1_000_000)),
    Hostile(
        "escapes-in-message", lambda o: o.commit(o.files({b"a": b""}), b"\x1b[31mred\x07\r\nmore")
    ),
    Hostile("nul-in-message", nul_in_message),
    Hostile("file-below-the-limit", lambda o: o.commit(o.tree((FILE, b"zeros", o.zeros(38))))),
)
REFUSED = (
    Hostile("tree-bomb", bomb(lambda o: (FILE, b"f", o.blob(b"x"))), TOO_LARGE),
    Hostile("tree-bomb-without-files", bomb(lambda o: (FOLDER, b"e", o.tree())), TOO_LARGE),
    Hostile("huge-file", lambda o: o.commit(o.tree((FILE, b"zeros", o.zeros(200)))), TOO_LARGE),
    Hostile("deep-tree", deep, r"Commit \w+ holds a path of more than 4000 bytes"),
    Hostile(
        "long-name",
        names(b"n" * 300),
        _not_checked_out("unable to create file n{300}: File name too long"),
    ),
    Hostile(
        "git-config",
        lambda o: o.commit(o.tree((FOLDER, b".git", o.files(_GIT_CONFIG)))),
        _not_checked_out(r"invalid path '\.git/config'"),
    ),
    Hostile(
        "git-config-in-a-clone",
        lambda o: o.commit(o.tree((FOLDER, b".GIT", o.files(_GIT_CONFIG)))),
        _not_checked_out(r"invalid path '\.GIT/config'"),
        configuration={"OutputArtifactFormat": "CODEBUILD_CLONE_REF"},
    ),
    Hostile("path-out", names(b"../x"), _not_checked_out(r"invalid path '\.\./x'")),
    Hostile(
        "submodule-loop",
        loop,
        f'Submodule "{"/".join(["again"] * 11)}": submodules are nested deeper than 10',
        configuration={"FetchSubmodules": "true"},
    ),
    Hostile(
        "lfs-size",
        lambda o: o.commit(
            o.files({b".gitattributes": ATTRIBUTES, b"a.bin": pointer(b"", 10**17)})
        ),
        rf"Commit \w+, with its files in Git LFS, is larger than {ARTIFACT_ENTRIES} files or "
        rf"{ARTIFACT_BYTES} bytes",
        configuration={"FetchLfs": "true"},
    ),
    Hostile(
        "lfs-malformed",
        lambda o: o.commit(
            o.files({b".gitattributes": ATTRIBUTES, b"a.bin": pointer(b"", 10**30)})
        ),
        '"a.bin" begins as a Git LFS pointer and is none',
        configuration={"FetchLfs": "true"},
    ),
)


def links(objects: Objects) -> str:
    """Links to what is none of the artifact's: they are checked out, never
    followed, and refused when packed.
    """
    return objects.commit(
        objects.tree(
            (LINK, b"etc", objects.blob(b"/etc")), (LINK, b"up", objects.blob(b"../../.."))
        )
    )


def link_as_folder(objects: Objects) -> str:
    """One name twice, a link and a folder: what stands in the folder must not
    go through the link.
    """
    folder = objects.files({b"pwned": b""})
    return objects.commit(objects.tree((LINK, b"a", objects.blob(b"/tmp")), (FOLDER, b"a", folder)))
