"""What stands in commands and values is text: odd characters arrive as they
are, limits are told before they bite.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.failures import ACTION, STAGE, Failing, assert_shown, new_team, start_all
from tests.support.kube import Document, Kube

IMAGE = "docker.io/library/busybox:1.35"
CONFIGURATION_BYTES = 102_400
VARIABLES_BYTES = 122_880

ODD_VALUES = {
    "kubelet": "$$(HOME) $(HOME) $HOME ${HOME} $$",
    "quotes": """it's "quoted" 'twice' `date` \\ \\n""",
    "lines": "one\ntwo\n\nfour; false && exit 7",
    "closing": "'; exit 7; '",
    "unicode": "Wehr ⚙ ñ \u202e *?[a-z] #{variables.kubelet} ~",
}


def digest(text: str) -> str:
    """Return what sha256sum prints for a text."""
    return sha256(text.encode()).hexdigest()


def is_exactly(reference: str, text: str) -> str:
    """Return a command that succeeds only if a reference stands for exactly this text."""
    return f'[ "$(printf %s {reference} | sha256sum)" = "{digest(text)}  -" ]'


def producer(size: int) -> Document:
    """Return an action that exports a variable of so many bytes."""
    script = f"BIG=$(head -c {size} /dev/zero | tr '\\0' x)"
    return commands("Make", script, namespace="Made", outputVariables=["BIG"])


def consumer(*lines: str) -> Document:
    """Return an action that reads the variable; its image counts as configuration."""
    return commands(ACTION, *lines, image=IMAGE)


TOO_MUCH = CONFIGURATION_BYTES - len(IMAGE) + 1

CASES = (
    Failing(
        "variable-unresolved",
        commands(ACTION, "echo #{Made.TAG}"),
        "ConfigurationError",
        "An action in this pipeline failed because one or more variables could not be resolved: "
        "Action name=Do (#{Made.TAG} has no value)",
        before=(commands("Make", "true", namespace="Made", outputVariables=["TAG"]),),
    ),
    Failing(
        "configuration-above-the-limit",
        consumer("printf %s #{Made.BIG} >/dev/null"),
        "ConfigurationTooLarge",
        f"the resolved configuration is {CONFIGURATION_BYTES + 1} bytes long, more than "
        f"{CONFIGURATION_BYTES} (Q-12)",
        before=(producer(TOO_MUCH),),
    ),
    Failing(
        "variables-above-the-limit",
        {**producer(VARIABLES_BYTES + 1), "name": ACTION},
        "OutputVariablesSizeExceeded",
        f"the output variables hold {VARIABLES_BYTES + 1} bytes, the limit is {VARIABLES_BYTES}: "
        f"BIG {VARIABLES_BYTES + 1}",
    ),
)


@pytest.fixture(scope="module")
def failing(cluster: Cluster, kube: Kube) -> Iterator[Team]:
    with new_team(cluster, kube) as team:
        yield start_all(team, CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_value_that_is_missing_or_too_large_fails_the_action(failing: Team, case: Failing) -> None:
    assert_shown(failing, case)


def test_values_up_to_the_limits_arrive_whole(team: Team) -> None:
    text = "x" * (TOO_MUCH - 1)
    team.pipeline(
        "web",
        stage("Before", producer(len(text))),
        stage(STAGE, consumer(is_exactly("#{Made.BIG}", text))),
    )
    team.pipeline("most", stage(STAGE, {**producer(VARIABLES_BYTES), "name": ACTION}))
    team.start("web", "web")
    team.start("most", "most")

    assert team.ended("web")["statusSummary"] == "all stages succeeded"
    assert team.ended("most")["statusSummary"] == "all stages succeeded"
    assert team.execution(ACTION, "most")["outputVariables"] == {"BIG": "x" * VARIABLES_BYTES}


def test_odd_values_reach_commands_and_environment_unchanged(team: Team) -> None:
    declared = [{"name": name, "defaultValue": value} for name, value in ODD_VALUES.items()]
    checks = [is_exactly(f"#{{variables.{name}}}", value) for name, value in ODD_VALUES.items()]
    quoted = [is_exactly(f'"#{{variables.{name}}}"', value) for name, value in ODD_VALUES.items()]
    inner = [f"""[ '#{{variables.{name}}}' = "#{{variables.{name}}}" ]""" for name in ODD_VALUES]
    exported = [is_exactly(f'"${name}"', value) for name, value in ODD_VALUES.items()]
    action = commands(
        ACTION,
        *checks,
        *quoted,
        *inner,
        *exported,
        environmentVariables=[
            {"name": name, "value": f"#{{variables.{name}}}"} for name in ODD_VALUES
        ],
    )
    team.pipeline("web", stage(STAGE, action), variables=declared)
    team.start("web")

    assert team.ended()["statusSummary"] == "all stages succeeded"


def test_odd_commands_are_run_as_they_are_written(team: Team) -> None:
    action = commands(
        ACTION,
        'PID=$$; [ "$PID" -gt 1 ]',
        '[ "$$(echo)" = "$PID(echo)" ] || [ "$(echo a)" = a ]',
        'WORDS="$(echo one; echo two)"; [ "$WORDS" = "one\ntwo" ]',
        "TEXT='a \"b\" $(exit 9) `exit 9` $HOME'",
        '[ "$TEXT" = \'a "b" $(exit 9) `exit 9` $HOME\' ]',
        "LINES='first\nsecond'",
        'echo "don\'t" \'$$\' "\\$(X)"',
        namespace="Said",
        outputVariables=["TEXT", "LINES"],
    )
    team.pipeline("web", stage(STAGE, action))
    team.start("web")

    assert team.ended()["statusSummary"] == "all stages succeeded"
    assert team.execution(ACTION)["outputVariables"] == {
        "TEXT": 'a "b" $(exit 9) `exit 9` $HOME',
        "LINES": "first\nsecond",
    }
    pod = team.pod_of(team.execution(ACTION)["jobName"])
    assert pod is not None
    lines = team.kube.log(team.namespace, pod["metadata"]["name"]).splitlines()
    assert lines[-1] == "don't $$ $(X)"
