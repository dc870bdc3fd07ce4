"""Triggers of a definition: which are valid, and which are acted on (V-16, V-17, G-03, G-20)."""

from __future__ import annotations

from typing import Any
from unittest.mock import create_autospec

import pytest

from penstock.api.kinds.pipeline import PipelineSpec
from penstock.engine.definition.validation import validate
from penstock.triggers.pipelines import source_actions
from penstock.triggers.sources.base import SecretReader, Watch
from penstock.triggers.sources.connection_reports import ConnectionReports
from penstock.triggers.sources.git.places import ThroughConnection
from penstock.triggers.sources.git.source import GitLooks, GitSource
from tests.unit.engine.simulation import commands_action, git_action, stage

CONNECTION = {"category": "Source", "owner": "AWS", "provider": "CodeStarSourceConnection"}
WRONG_ACTION = "Triggers for connection must reference a CodeStarSourceConnection action. "
WRONG_FILTER = "The trigger configuration for the source action is not valid. "


def source(name: str = "Source", **configuration: str) -> dict[str, Any]:
    given = {"ConnectionArn": "github", "FullRepositoryId": "team/shop", "BranchName": "main"}
    return {
        "name": name,
        "actionTypeId": {**CONNECTION, "version": "1"},
        "configuration": {**given, **configuration},
        "outputArtifacts": [{"name": name}],
    }


def trigger(name: str = "Source", **filters: Any) -> dict[str, Any]:
    return {
        "providerType": "CodeStarSourceConnection",
        "gitConfiguration": {"sourceActionName": name, **filters},
    }


def push(*branches: str, **criteria: Any) -> dict[str, Any]:
    named = {"branches": {"includes": list(branches)}} if branches else {}
    return {"push": [{**named, **criteria}]}


def spec_of(*triggers: dict[str, Any], **configuration: str) -> PipelineSpec:
    stages = [
        stage(
            "Source",
            source(**configuration),
            {**git_action(), "name": "Other", "outputArtifacts": [{"name": "Other"}]},
        ),
        stage("Build", commands_action("Make")),
    ]
    return PipelineSpec.model_validate(
        {"stages": stages, "triggers": list(triggers), "pipelineType": "V2"}
    )


def problems(*triggers: dict[str, Any]) -> list[tuple[str, str]]:
    found = validate(spec_of(*triggers), has_default_store=True).problems
    return [(item.path, item.message) for item in found]


def test_g_20_trigger_that_means_the_actions_branch_is_acted_on() -> None:
    assert problems(trigger(**push("main"))) == []


@pytest.mark.parametrize(
    "triggers",
    [
        (trigger("Nobody", **push("main")),),
        (trigger("Other", **push("main")),),
        (trigger(**push("main")), trigger(**push("main"))),
    ],
    ids=["no action", "another provider", "twice"],
)
def test_v_16_trigger_names_one_connections_action_once(triggers: tuple[dict[str, Any]]) -> None:
    ((path, message),) = problems(*triggers)
    assert path == f"spec.triggers[{len(triggers) - 1}].gitConfiguration.sourceActionName"
    assert message.startswith(WRONG_ACTION)


@pytest.mark.parametrize(
    ("filters", "path"),
    [
        (push("main", tags={"includes": ["v1"]}), "push[0]"),
        (push(filePaths={"includes": ["src/**"]}), "push[0]"),
        ({"push": [{}]}, "push[0]"),
        ({"pullRequest": [{"filePaths": {"includes": ["src/**"]}}]}, "pullRequest[0]"),
    ],
)
def test_v_17_criteria_that_do_not_go_together_are_refused(
    filters: dict[str, Any], path: str
) -> None:
    ((where, message),) = problems(trigger(**filters))
    assert where == f"spec.triggers[0].gitConfiguration.{path}"
    assert message.startswith(WRONG_FILTER)


@pytest.mark.parametrize(
    "filters",
    [
        {},
        push("main", "next"),
        push("release/**"),
        push(branches={"excludes": ["wip/**"]}),
        push(tags={"includes": ["v*"]}),
        push("main", filePaths={"includes": ["src/**"], "excludes": ["**/*.md"]}),
        {"push": [*push("main*")["push"], {"tags": {"includes": ["release-1"]}}]},
    ],
)
def test_g_23_filters_of_pushes_are_acted_on(filters: dict[str, Any]) -> None:
    assert problems(trigger(**filters)) == []


@pytest.mark.parametrize(
    "filters",
    [
        {"pullRequest": [{"events": ["OPEN", "UPDATED"], "branches": {"includes": ["main"]}}]},
        {
            **push("main"),
            "pullRequest": [
                {"branches": {"includes": ["main"]}, "filePaths": {"includes": ["src/**"]}}
            ],
        },
    ],
)
def test_g_25_filters_of_pull_requests_are_acted_on(filters: dict[str, Any]) -> None:
    assert problems(trigger(**filters)) == []


def test_pattern_of_a_pull_request_that_is_none_is_refused_where_it_stands() -> None:
    pulls = [{"branches": {"includes": ["main"]}}, {"branches": {"excludes": ["release/[0"]}}]
    ((path, message),) = problems(trigger(pullRequest=pulls))
    assert path == "spec.triggers[0].gitConfiguration.pullRequest[1].branches"
    assert "[" in message


def test_pattern_that_is_none_is_refused_where_it_stands() -> None:
    ((path, message),) = problems(trigger(**push("main", "release/[0")))
    assert path == "spec.triggers[0].gitConfiguration.push[0].branches"
    assert message == 'the pattern "release/[0" ends behind an open ['


@pytest.mark.parametrize(
    ("triggers", "is_polled"),
    [((), False), ((trigger(),), True), ((trigger(**push("next")),), True)],
)
def test_g_03_trigger_decides_in_place_of_detect_changes(
    triggers: tuple[dict[str, Any], ...], is_polled: bool
) -> None:
    spec = spec_of(*triggers, DetectChanges="false")
    (item,) = (item for item in source_actions(spec) if item.action.name == "Source")
    looked_at = create_autospec(GitLooks)
    provider = ThroughConnection(lambda _: [], create_autospec(ConnectionReports))
    source = GitSource(create_autospec(SecretReader), looked_at, provider)
    identity = source.identity(Watch(item.action.configuration, item.trigger))
    assert (identity is not None) is is_polled
