"""Custom actions: which ActionType an action names, what it refuses, and what
an attempt keeps of it (P-80).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from penstock.api.kinds.action_type import ActionTypeSpec
from penstock.engine.commands import CreateJob
from penstock.engine.definition.validation import validate
from penstock.engine.objects.action_types import ActionTypeObject, types_of
from penstock.engine.snapshot import Refused
from tests.unit.engine.simulation import World, commands_action, stage

NONE = {"minimumCount": 0, "maximumCount": 0}
PROPERTIES = [
    {"name": "Target", "required": True},
    {"name": "Count", "type": "Number"},
    {"name": "Wait", "type": "Boolean"},
    {"name": "Login", "secret": True},
]
PATH = "spec.stages[0].actions[0]"


def type_spec(**fields: Any) -> ActionTypeSpec:
    """Return an ActionType Deploy / Custom / Script / 1."""
    template = {"image": "debian:12", "commands": ["deploy"], **fields.pop("template", {})}
    base = {
        "category": "Deploy",
        "provider": "Script",
        "configurationProperties": PROPERTIES,
        "template": template,
    }
    return ActionTypeSpec.model_validate(
        {**base, "inputArtifactDetails": NONE, "outputArtifactDetails": NONE, **fields}
    )


def custom_action(name: str = "Ship", /, **fields: Any) -> dict[str, Any]:
    """Return an action of it."""
    type_id = {"category": "Deploy", "owner": "Custom", "provider": "Script", "version": "1"}
    return {"name": name, "actionTypeId": type_id, "configuration": {"Target": "blue"}, **fields}


def world_with(spec: ActionTypeSpec | None = None, action: dict[str, Any] | None = None) -> World:
    """Return a world with the ActionType ``script`` and a pipeline of one action of it."""
    world = World.of(stage("Prod", action or custom_action()))
    if spec:
        world.action_types["script"] = spec
    return world


def problems(world: World) -> list[str]:
    assert world.pipeline and world.pipeline.spec
    return [
        str(found)
        for found in validate(world.pipeline.spec, world.types(), has_default_store=True).problems
    ]


def started(world: World) -> World:
    world.start()
    world.settle()
    return world


def test_p_80_pipeline_names_a_custom_action_by_category_owner_provider_and_version() -> None:
    assert problems(world_with(type_spec())) == []


def test_version_that_is_left_out_is_1() -> None:
    action = custom_action(
        actionTypeId={"category": "Deploy", "owner": "Custom", "provider": "Script"}
    )
    assert problems(world_with(type_spec(), action)) == []
    assert problems(world_with(type_spec(version="2"), action)) == [
        f"{PATH}.actionTypeId: there is no ActionType Deploy / Custom / Script / 1; there are "
        f"Deploy / Custom / Script / 2"
    ]


def test_missing_action_type_is_told_and_its_arrival_makes_the_pipeline_ready() -> None:
    world = world_with()
    world.settle()
    assert world.pipeline
    message = (
        f"{PATH}.actionTypeId: there is no ActionType Deploy / Custom / Script / 1; there is none "
        f"at all"
    )
    ready = {c.type: c for c in world.pipeline.status.conditions}["Ready"]
    assert (ready.status, ready.reason, ready.message) == ("False", "InvalidPipeline", message)

    world.action_types["script"] = type_spec()
    world.settle()
    ready = {c.type: c for c in world.pipeline.status.conditions}["Ready"]
    assert ready.status == "True"


def test_two_of_one_identity_are_told_and_none_is_chosen() -> None:
    world = world_with(type_spec())
    world.action_types["another"] = type_spec()
    (said,) = problems(world)
    assert said.endswith(
        "several of kind ActionType are Deploy / Custom / Script / 1: another, script; keep one"
    )


def test_action_type_of_the_namespace_comes_before_the_clusters() -> None:
    own = ActionTypeObject("ActionType", "mine", "u1", 1, type_spec(template={"image": "own"}))
    shared = ActionTypeObject(
        "ClusterActionType", "all", "u2", 1, type_spec(template={"image": "shared"})
    )
    spec = World.of(stage("Prod", custom_action())).spec
    type_id = spec.stages[0].actions[0].action_type_id
    assert types_of([shared, own]).find(type_id)[0] is own
    assert types_of([shared]).find(type_id)[0] is shared


def test_custom_action_never_takes_a_built_in_provider_over() -> None:
    world = World.of(stage("Build", commands_action("Make", "true")))
    world.action_types["commands"] = type_spec(
        category="Compute", provider="Commands", template={"image": "evil"}
    )
    started(world)
    assert world.request(world.job_for("Make")).provider == "commands"


@pytest.mark.parametrize(
    ("configuration", "path", "message"),
    [
        ({}, "Target", "Field required"),
        ({"Target": "a", "Nope": "b"}, "Nope", "unknown key for this provider (V-10)"),
        ({"Target": "a", "Count": "3x"}, "Count", "is not a number"),
        ({"Target": "a", "Wait": "yes"}, "Wait", 'is neither "true" nor "false"'),
        (
            {"Target": "a", "Login": "Hunter2!"},
            "Login",
            "names a Secret of the Pipeline's namespace: neither the secret itself nor a variable "
            "stands here",
        ),
        (
            {"Target": "a", "Login": "#{codepipeline.PipelineExecutionId}"},
            "Login",
            "names a Secret of the Pipeline's namespace: neither the secret itself nor a variable "
            "stands here",
        ),
    ],
)
def test_v_10_configuration_is_held_to_what_the_action_type_says(
    configuration: dict[str, str], path: str, message: str
) -> None:
    found = problems(world_with(type_spec(), custom_action(configuration=configuration)))
    assert found == [f"{PATH}.configuration.{path}: {message}"]
    assert not any("Hunter2!" in text for text in found)


def test_number_from_a_variable_is_judged_when_it_has_a_value() -> None:
    action = custom_action(
        configuration={"Target": "a", "Count": "#{codepipeline.PipelineExecutionId}"}
    )
    world = started(world_with(type_spec(), action))
    row = world.execution("Ship")
    assert row and row.error_details
    assert (row.error_details.code, row.error_details.message) == (
        "ConfigurationError",
        "configuration.Count: is not a number",
    )


def test_v_09_artifacts_are_held_to_the_bounds() -> None:
    spec = type_spec(outputArtifactDetails={"minimumCount": 1, "maximumCount": 2})
    assert problems(world_with(spec)) == [
        f"{PATH}.outputArtifacts: Script takes 1 to 2, not 0 (V-09)"
    ]


@pytest.mark.parametrize("field", ["commands", "outputVariables"])
def test_pipeline_brings_no_commands_of_its_own(field: str) -> None:
    found = problems(world_with(type_spec(), custom_action(**{field: ["x"]})))
    assert found == [f"{PATH}.{field}: Script takes no {field}"]


@pytest.mark.parametrize(
    ("field", "template", "word"),
    [
        ("executionUrlTemplate", "https://ci/{Config:Nope}", "{Config:Nope}"),
        ("executionUrlTemplate", "https://ci/{Config:Login}", "{Config:Login}"),
        ("entityUrlTemplate", "https://ci/{ExternalExecutionId}", "{ExternalExecutionId}"),
        ("revisionUrlTemplate", "https://ci/{Config", "{Config}"),
    ],
)
def test_link_that_names_what_is_not_there_is_told(field: str, template: str, word: str) -> None:
    known = "{Config:Count}, {Config:Target}, {Config:Wait} does (P-80)"
    said = (
        f"{PATH}.actionTypeId: ActionType script: spec.settings.{field}: {word} stands for "
        f"nothing; {known}"
    )
    assert problems(world_with(type_spec(settings={field: template}))) == [said]


def test_p_80_links_carry_the_configuration_encoded() -> None:
    settings = {
        "entityUrlTemplate": "https://ci/{Config:Target}/{Config:Count}",
        "executionUrlTemplate": "https://ci/{Config:Target}?id={ExternalExecutionId}",
    }
    configuration = {"Target": "a/b {ExternalExecutionId}"}
    world = started(
        world_with(type_spec(settings=settings), custom_action(configuration=configuration))
    )
    row, encoded = world.execution("Ship"), "a%2Fb%20%7BExternalExecutionId%7D"
    assert row
    assert row.entity_url == f"https://ci/{encoded}/"
    wanted = world.request(row.job_name).custom
    assert wanted
    assert wanted.execution_url == f"https://ci/{encoded}?id={{ExternalExecutionId}}"


# ---- the attempt


def test_row_says_which_action_type_the_attempt_runs_on() -> None:
    world = started(world_with(type_spec()))
    row = world.execution("Ship")
    assert row and row.action_type
    frozen = row.action_type
    assert (frozen.kind, frozen.name, frozen.uid, frozen.generation) == (
        "ActionType",
        "script",
        "uid-script",
        1,
    )
    assert world.revisions[frozen.revision]["data"]["actionType"] == type_spec().to_dict()
    assert (
        world.revisions[frozen.revision]["metadata"]["ownerReferences"][0]["uid"] == "pipeline-uid"
    )


@pytest.mark.parametrize("new", [type_spec(template={"image": "other"}), None])
def test_edit_or_deletion_changes_no_attempt_under_way(new: ActionTypeSpec | None) -> None:
    """A crash keeps the Job back meanwhile; the Job that is created then is
    the one that was meant.
    """
    world = world_with(type_spec(onLostPod="rerun"))
    world.start()
    plan = world.plan()
    meant = [item.manifest for item in plan.commands if isinstance(item, CreateJob)]
    world.apply(replace(plan, commands=()))
    world.action_types = {"script": new} if new else {}
    world.generations["script"] = 2
    world.settle()
    job = world.job_for("Ship")
    assert [world.manifests[job]] == meant

    world.run_pod(job, phase="Failed", reason="Evicted")
    world.settle()
    row = world.execution("Ship")
    assert row and row.action_type
    assert (row.try_, row.action_type.generation) == (2, 1)
    assert world.request(row.job_name).custom == world.request(job).custom
    world.succeed(row.job_name)
    world.settle()
    assert world.status().state == "Succeeded"


def test_retried_attempt_and_next_run_read_the_action_type_anew() -> None:
    world = started(world_with(type_spec()))
    world.fail(world.job_for("Ship"))
    world.settle()
    world.action_types["script"] = type_spec(template={"image": "other"})
    world.generations["script"] = 2
    world.retry("Prod")
    world.settle()
    row = world.execution("Ship")
    assert row and row.action_type
    assert (row.attempt, row.action_type.generation) == (2, 2)
    assert container(world)["image"] == "other"


def test_job_that_cannot_be_built_again_fails_the_action() -> None:
    world = world_with(type_spec())
    world.start()
    world.apply(replace(world.plan(), commands=()))
    row = world.execution("Ship")
    assert row and row.action_type
    del world.revisions[row.action_type.revision]
    world.settle()
    row = world.execution("Ship")
    assert row and row.error_details
    assert row.error_details.code == "DefinitionLost"


def test_running_try_whose_frozen_type_is_gone_still_ends_by_its_result() -> None:
    world = started(world_with(type_spec()))
    job = world.job_for("Ship")
    world.run_pod(job)
    row = world.execution("Ship")
    assert row and row.action_type
    del world.revisions[row.action_type.revision]
    world.settle()
    world.succeed(job)
    world.settle()
    assert world.status().state == "Succeeded"


@pytest.mark.parametrize(
    ("on_lost_pod", "state", "tries"), [("fail", "Failed", 1), ("rerun", "InProgress", 2)]
)
def test_lost_pod_is_followed_by_what_the_action_type_says(
    on_lost_pod: str, state: str, tries: int
) -> None:
    world = started(world_with(type_spec(onLostPod=on_lost_pod)))
    world.run_pod(world.job_for("Ship"), phase="Failed", reason="Evicted")
    world.settle()
    row = world.execution("Ship")
    assert row
    assert (world.status().state, row.try_) == (state, tries)
    if on_lost_pod == "fail":
        assert row.error_details
        assert row.error_details.code == "ExecutionLost"


@pytest.mark.parametrize(
    ("job_timeout", "minutes", "expected_s"),
    [(None, None, 86_400), (600, None, 600), (600, 5, 300)],
)
def test_t_09_action_runs_a_day_unless_its_type_or_itself_says_otherwise(
    job_timeout: int | None, minutes: int | None, expected_s: int
) -> None:
    spec = type_spec(**({"jobTimeout": job_timeout} if job_timeout else {}))
    world = started(
        world_with(spec, custom_action(**({"timeoutInMinutes": minutes} if minutes else {})))
    )
    assert world.request(world.job_for("Ship")).limits.timeout_s == expected_s


def test_frozen_action_types_are_kept_in_limits() -> None:
    world = world_with(type_spec())
    world.settings = replace(world.settings, kept_revisions=2)
    for number in range(1, 6):
        world.action_types["script"] = type_spec(template={"image": f"debian:{number}"})
        started_run = world.start(f"run-{number}")
        world.settle()
        world.succeed(world.job_for("Ship", started_run))
        world.settle()
        world.advance(1)
    kept = [
        item["data"]["actionType"]
        for item in world.revisions.values()
        if "actionType" in item["data"]
    ]
    assert sorted(item["template"]["image"] for item in kept) == ["debian:4", "debian:5"]


# ---- the pod


def pod_of(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.manifests[world.job_for("Ship")]["spec"]["template"]["spec"]
    return found


def container(world: World) -> dict[str, Any]:
    found: dict[str, Any] = pod_of(world)["containers"][1]
    return found


def test_template_says_where_and_as_whom_the_action_runs() -> None:
    affinity = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "pool", "operator": "In", "values": ["ci"]}]}
                ]
            }
        }
    }
    template = {
        "resources": {
            "requests": {"cpu": "100m", "ephemeral-storage": "1Gi"},
            "limits": {"memory": "1Gi"},
        },
        "nodeSelector": {"pool": "ci"},
        "tolerations": [{"key": "ci", "operator": "Exists"}],
        "affinity": affinity,
        "priorityClassName": "low",
        "imagePullSecrets": [{"name": "registry"}],
        "runAsUser": 1000,
        "runAsGroup": 1000,
    }
    world = started(world_with(type_spec(template=template)))
    pod, action = pod_of(world), container(world)
    placed = ("nodeSelector", "tolerations", "affinity", "priorityClassName", "imagePullSecrets")
    assert {key: pod[key] for key in placed} == {key: template[key] for key in placed}
    assert action["resources"] == template["resources"]
    assert action["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_action_gets_the_secrets_it_names_and_never_those_of_the_store() -> None:
    store = {"type": "S3", "location": "artifacts", "credentials": {"secretName": "store"}}
    action = custom_action(configuration={"Target": "a", "Login": "login"})
    world = World.of(stage("Prod", action), artifactStore=store)
    world.action_types["script"] = type_spec()
    started(world)
    secret = {
        v["name"]: v["secret"]["secretName"] for v in pod_of(world)["volumes"] if "secret" in v
    }
    mounted = {
        m["mountPath"]: secret[m["name"]]
        for m in container(world)["volumeMounts"]
        if m["name"] in secret
    }
    assert mounted == {"/penstock/secrets/Login": "login"}
    agent = {
        m["mountPath"]
        for m in pod_of(world)["containers"][0]["volumeMounts"]
        if m["name"] in secret
    }
    assert agent == {"/penstock/secrets/Login", "/penstock/secrets/artifact-store"}


def test_nothing_of_the_author_or_the_user_stands_in_command_arguments_or_environment() -> None:
    spec = type_spec(
        template={
            "commands": ["echo $(HOME) $$"],
            "environmentVariables": [{"name": "MODE", "value": "$(HOME)"}],
        }
    )
    world = started(world_with(spec, custom_action(configuration={"Target": "$(HOME)"})))
    action = container(world)
    assert "env" not in action
    assert "args" not in action
    assert "HOME" not in str(action["command"]) + str(pod_of(world)["containers"][0]["env"])
    wanted = world.request(world.job_for("Ship")).custom
    assert wanted
    assert (wanted.commands, dict(wanted.environment)) == (
        ("echo $(HOME) $$",),
        {"MODE": "$(HOME)"},
    )


def test_job_that_the_server_refuses_fails_the_action_with_the_servers_words() -> None:
    """A template may say what no schema can check: the row says so, and
    nothing is tried for ever.
    """
    world = world_with(type_spec())
    world.start()
    world.apply(replace(world.plan(), commands=()))
    row = world.execution("Ship")
    assert row
    why = "Job is invalid: spec.template.spec.tolerations: Invalid value"
    world.refused[row.job_name] = Refused("Invalid", why, world.now, is_final=True)
    world.settle()
    row = world.execution("Ship")
    assert row and row.error_details
    assert (row.status, row.error_details.code) == ("Failed", "Invalid")
    assert row.error_details.message == f"the API server refuses the Job: {why}"
    assert world.status().state == "Failed"
