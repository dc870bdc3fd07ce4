"""Failures of the action's container: its image, its commands, its memory,
and results it forges.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.cluster.components import PAUSE_IMAGE
from tests.e2e.conftest import Team, commands
from tests.e2e.failures import ACTION, Failing, assert_shown, new_team, start_all
from tests.support.kube import Kube

NO_IMAGE = "127.0.0.1:9/team/builder:1"
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
HOG = "head -c 200000000 /dev/zero | tail"
DONE = "/penstock/control/done"

CASES = (
    Failing(
        "image-not-pullable",
        commands(ACTION, "true", image=NO_IMAGE),
        "ImagePullBackOff",
        re.compile(
            rf"container action did not start within 15 s: .*{re.escape(NO_IMAGE)}.*", re.DOTALL
        ),
    ),
    Failing(
        "image-name-not-valid",
        commands(ACTION, "true", image="Not An Image"),
        "InvalidImageName",
        re.compile(r"container action: the image's name is not valid: .*Not An Image.*"),
    ),
    Failing(
        "image-without-sh",
        commands(ACTION, "true", image=PAUSE_IMAGE),
        "StartError",
        re.compile(
            r'the action\'s container could not start: .*exec: "sh": executable file not found in '
            r"\$PATH.*; "
            r"an image needs `sh` to run commands"
        ),
    ),
    Failing(
        "command-not-found",
        commands(ACTION, "no-such-program --flag"),
        "JobFailed",
        "Command not found, failed with exit code 127: no-such-program --flag",
    ),
    Failing(
        "exit-3-after-a-forged-0",
        commands(ACTION, f"echo 0 > {DONE}; exit 3"),
        "JobFailed",
        f"Command failed with exit code 3: echo 0 > {DONE}; exit 3",
    ),
    Failing(
        "exit-3-swallowed-by-a-forged-0",
        commands(ACTION, rf"printf '0\nx' > {DONE}; exit 3"),
        "ResultMismatch",
        "the commands reported exit code 0, the container ended with 3: a command wrote a result "
        "of its own",
    ),
    Failing(
        "out-of-memory",
        commands(ACTION, HOG, configuration={"ComputeType": "MEDIUM"}),
        "OOMKilled",
        re.compile(
            rf"(Command failed with exit code 137: {re.escape(HOG)}|"
            r"the action's container ended before its commands did \(exit code 137\)); "
            r"the container used more memory than its limit: choose a larger ComputeType"
        ),
    ),
    Failing(
        "link-to-the-token",
        commands(
            ACTION, f"ln -s {TOKEN} token", outputArtifacts=[{"name": "Out", "files": ["token"]}]
        ),
        "JobFailed",
        f'Output artifact "Out": "token" is a symbolic link that leads out of the workspace (-> '
        f"{TOKEN})",
    ),
    Failing(
        "link-to-the-tokens-folder",
        commands(
            ACTION,
            f"ln -s {TOKEN.rpartition('/')[0]} secrets",
            outputArtifacts=[{"name": "Out", "files": ["secrets/token"]}],
        ),
        "ConfigurationError",
        'Output artifact "Out": no file matches the pattern "secrets/token"',
    ),
)


@pytest.fixture(scope="module")
def failing(cluster: Cluster, kube: Kube) -> Iterator[Team]:
    with new_team(cluster, kube) as team:
        yield start_all(team, CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_action_that_cannot_do_its_work_fails_with_the_cause(failing: Team, case: Failing) -> None:
    assert_shown(failing, case)
