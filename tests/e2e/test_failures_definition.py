"""Failures that the definition holds already: the Pipeline says what is
wrong, no pod is ever made.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, git, stage
from tests.e2e.failures import ACTION, assert_summary, new_team
from tests.support.kube import Document, Kube, eventually

RUN_ID = "#{codepipeline.PipelineExecutionId}"
HOST = "http://git.penstock-dev/any.git"
UNKNOWN: Document = {
    "name": ACTION,
    "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "Nonsense", "version": "1"},
}

CASES: dict[str, tuple[Document, str]] = {
    "unknown-provider": (
        UNKNOWN,
        "actionTypeId: unknown provider: Build / AWS / Nonsense / 1; known are "
        "Build / AWS / CodeBuild",
    ),
    "url-of-a-file": (
        git(ACTION, "file:///etc"),
        "configuration.Url: only http:// and https:// URLs are fetched",
    ),
    "url-with-a-password": (
        git(ACTION, "https://user:word@example.com/a.git"),
        "configuration.Url: credentials belong into CredentialsSecret, not into the URL",
    ),
    "branch-that-is-an-option": (
        git(ACTION, HOST, Branch="--upload-pack=x"),
        "configuration.Branch: a name that begins with '-' is refused: git would read it as an "
        "option",
    ),
    "value-inside-eval": (
        commands(ACTION, f"eval '{RUN_ID}'"),
        f"commands[0]: {RUN_ID} stands in the text of 'eval' at character 7, where its value could "
        f"be read as code; "
        f"set an environment variable of the action to {RUN_ID} and let the shell expand that "
        f"there, quoted "
        '("$NAME"), outside of arithmetic and of text that is run (sh -c \'echo "$NAME"\')',
    ),
}


@pytest.fixture(scope="module")
def invalid(cluster: Cluster, kube: Kube) -> Iterator[Team]:
    with new_team(cluster, kube) as team:
        for name, (action, _) in CASES.items():
            team.pipeline(name, stage("Work", action), wait=False)
            team.start(name, name)
        yield team


@pytest.mark.parametrize("name", CASES)
def test_invalid_pipeline_is_not_ready_and_names_the_field(invalid: Team, name: str) -> None:
    invalid.ended(name, 20)
    message = f"spec.stages[0].actions[0].{CASES[name][1]}"
    for kind, value in (("Ready", "False"), ("Stalled", "True")):
        # A pass writes the Pipeline's status after the runs'.
        condition = eventually(
            lambda: invalid.condition("pipelines", name, kind),  # noqa: B023
            20,
            f"{kind} of {name}",
        )
        assert (condition["status"], condition["reason"], condition["message"]) == (
            value,
            "InvalidPipeline",
            message,
        )


@pytest.mark.parametrize("name", CASES)
def test_run_of_an_invalid_pipeline_fails_at_once_with_the_same_words(
    invalid: Team, name: str
) -> None:
    status = invalid.ended(name, 20)
    message = f"the pipeline {name} is not valid: spec.stages[0].actions[0].{CASES[name][1]}"
    assert status["state"] == "Failed"
    assert_summary(status, "InvalidPipeline", message)
    assert "stageStates" not in status


def test_invalid_pipelines_make_no_job(invalid: Team) -> None:
    for name in CASES:
        invalid.ended(name, 20)
    assert invalid.kube.objects("jobs", invalid.namespace) == []
