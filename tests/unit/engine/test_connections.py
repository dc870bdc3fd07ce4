"""Connections of source actions: found at an attempt's start, and frozen for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from penstock.api.contract.contracts import ConnectionAccess
from penstock.api.kinds.connection import ConnectionSpec, ProviderType
from penstock.api.kinds.pipeline import PipelineSpec
from penstock.engine.commands import CreateJob
from penstock.engine.definition.validation import validate
from tests.unit.engine.simulation import World, commands_action, stage

ARN = "arn:aws:codeconnections:eu-west-1:123456789012:connection/shop"
BEFORE = ConnectionSpec(provider_type=ProviderType.GITHUB, credentials_secret="github")
AFTER = ConnectionSpec(provider_type=ProviderType.GITEA, endpoint="https://git.example.com")


def source(**configuration: str) -> dict[str, Any]:
    given = {"ConnectionArn": ARN, "FullRepositoryId": "team/shop", "BranchName": "main"}
    return {
        "name": "Fetch",
        "actionTypeId": {
            "category": "Source",
            "owner": "AWS",
            "provider": "CodeStarSourceConnection",
            "version": "1",
        },
        "configuration": {**given, **configuration},
        "outputArtifacts": [{"name": "Source"}],
    }


def world_with(*connections: tuple[str, ConnectionSpec]) -> World:
    world = World.of(stage("Source", source()), stage("Build", commands_action("Make")))
    world.connections |= dict(connections)
    world.start()
    return world


def test_p_01_row_says_through_which_connection_the_attempt_fetches() -> None:
    world = world_with(("shop", BEFORE))
    world.settle()
    row = world.execution("Fetch")
    assert row and row.connection
    assert (row.connection.name, row.connection.uid) == ("shop", "uid-shop")
    assert world.revisions[row.connection.revision]["data"]["connection"] == BEFORE.to_dict()
    request = world.request(row.job_name)
    assert request.connection == ConnectionAccess("shop", "GitHub", "https://github.com")
    assert list(request.secrets) == ["ConnectionArn"]
    volumes = world.manifests[row.job_name]["spec"]["template"]["spec"]["volumes"]
    assert [v["secret"]["secretName"] for v in volumes if "secret" in v][:1] == ["github"]


def edit(world: World) -> None:
    world.connections["shop"] = AFTER
    world.generations["shop"] = 2


def delete(world: World) -> None:
    del world.connections["shop"]


@pytest.mark.parametrize("change", [edit, delete])
def test_job_that_a_crash_kept_back_is_the_one_that_was_meant(
    change: Callable[[World], None],
) -> None:
    world = world_with(("shop", BEFORE))
    plan = world.plan()
    world.apply(replace(plan, commands=()))
    meant = [item.manifest for item in plan.commands if isinstance(item, CreateJob)]
    change(world)
    world.settle()
    assert [world.manifests[world.job_for("Fetch")]] == meant


def test_try_after_a_lost_pod_fetches_through_the_same_connection() -> None:
    world = world_with(("shop", BEFORE))
    world.settle()
    edit(world)
    world.end_pod(world.job_for("Fetch"), "")
    world.settle()
    row = world.execution("Fetch")
    assert row and row.try_ == 2
    assert row.connection and row.connection.generation == 1


def test_connection_is_not_chosen_by_a_variable() -> None:
    """Whose credential is sent must stand in the definition."""
    makes = commands_action("Make", namespace="Build", outputVariables=["WHICH"])
    late = source(ConnectionArn="#{Build.WHICH}")
    stages = [stage("Source", source()), stage("Build", makes), stage("Late", late)]
    late["outputArtifacts"] = [{"name": "Late"}]
    spec = PipelineSpec.model_validate({"stages": stages, "pipelineType": "V2"})
    (problem,) = validate(spec, has_default_store=True).problems
    assert problem.path == "spec.stages[2].actions[0].configuration.ConnectionArn"
    assert "variables are not resolved here" in problem.message


def test_action_without_its_connection_fails_with_the_lines_to_apply() -> None:
    world = world_with(("other", BEFORE))
    world.settle()
    row = world.execution("Fetch")
    assert row and row.error_details
    assert row.error_details.code == "ConfigurationError"
    assert row.error_details.message.startswith(f"there is no Connection for {ARN}; apply one")
    assert world.status().state == "Failed"
