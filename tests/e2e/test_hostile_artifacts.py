"""Artifacts that hostile commands leave behind: what is harmless arrives
whole, all else fails by its name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.failures import ACTION, Failing, assert_shown, new_team, start_all
from tests.support.kube import Kube

LISTING = "DIGEST=$(find . -type f -print0 | sort -z | sha256sum | cut -c 1-64)"
NAMES = (
    b"new\nline",
    b"tab\t",
    b"\x1b[31m",
    b"\xff\xfe",
    b"--option",
    b" ",
    b"*",
    b"n" * 200,
    b"hard-link",
    b"\xe2\x80\xae",
)
SOCKET = "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"here\")'"
DEEP = "n=0; while [ $n -lt 201 ]; do mkdir d; cd d; n=$((n + 1)); done; cd /"


def octal(name: bytes) -> str:
    """Return a name as printf reads it."""
    return "".join(f"\\{byte:03o}" for byte in name)


def failing(
    name: str, message: str, *lines: str, image: str = "docker.io/library/busybox:1.35"
) -> Failing:
    action = commands(
        ACTION, *lines, image=image, outputArtifacts=[{"name": "Out", "files": ["**/*"]}]
    )
    return Failing(name, action, "JobFailed", re.compile(f'Output artifact "Out": {message}'))


def cases(cluster: Cluster) -> Iterator[Failing]:
    """Yield one pipeline per thing that an artifact cannot hold."""
    yield failing("fifo", '"pipe" is a FIFO, which an artifact cannot hold', "mkfifo pipe")
    yield failing(
        "socket", '"here" is a socket, which an artifact cannot hold', SOCKET, image=cluster.image
    )
    yield failing("deep-folders", '"(d/)*d" is nested deeper than 200 folders', DEEP)
    yield failing(
        "link-up",
        r'"up" is a symbolic link that leads out .* \(-> a/\.\./\.\.\)',
        "mkdir a; ln -s a/../.. up",
    )
    yield failing(
        "sparse", f'"huge" makes it larger than {7 * 1024**3} bytes', "truncate -s 100G huge"
    )
    yield failing(
        "unreadable", '"secret" cannot be read by the agent .*', "echo x > secret; chmod 0 secret"
    )


NAMES_OF_CASES = ("fifo", "socket", "deep-folders", "link-up", "sparse", "unreadable")


@pytest.fixture(scope="module")
def started(cluster: Cluster, kube: Kube) -> Iterator[tuple[Team, dict[str, Failing]]]:
    with new_team(cluster, kube) as team:
        found = {case.name: case for case in cases(cluster)}
        start_all(team, found.values())
        lines = [
            f"echo x > \"$(printf '{octal(name)}')\"" for name in NAMES if name != b"hard-link"
        ]
        make = commands(
            "Make",
            *lines,
            "ln -- --option hard-link",
            outputArtifacts=[{"name": "Out", "files": ["**/*"]}],
        )
        use = commands("Use", LISTING, inputArtifacts=[{"name": "Out"}], outputVariables=["DIGEST"])
        team.pipeline("names", stage("Make", make), stage("Use", use), wait=False)
        team.start("names", "names")
        yield team, found


@pytest.mark.parametrize("name", NAMES_OF_CASES)
def test_what_an_artifact_cannot_hold_is_named(
    started: tuple[Team, dict[str, Failing]], name: str
) -> None:
    team, found = started
    assert found.keys() == set(NAMES_OF_CASES)
    assert_shown(team, found[name])


def test_names_and_hard_links_arrive_as_they_are(started: tuple[Team, dict[str, Failing]]) -> None:
    team, _ = started
    status = team.ended("names", 60)
    assert status["state"] == "Succeeded", status["statusSummary"]
    listed = b"".join(sorted(b"./" + name + b"\0" for name in NAMES))
    assert (
        team.execution("Use", "names")["outputVariables"]["DIGEST"]
        == hashlib.sha256(listed).hexdigest()
    )
