"""What the API server itself accepts and refuses: structural schemas and CEL (V rows, N rows)."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from penstock.api.kinds.run import PipelineRunSpec
from tests.support.approvals import acting_as
from tests.support.kube import Kube, KubeError

SPEC: dict[str, Any] = {
    "stages": [
        {
            "name": "Source",
            "actions": [
                {
                    "name": "Fetch",
                    "actionTypeId": {
                        "category": "Source",
                        "owner": "ThirdParty",
                        "provider": "Git",
                        "version": "1",
                    },
                    "configuration": {"Url": "http://git/x.git"},
                    "outputArtifacts": [{"name": "Source"}],
                }
            ],
        },
        {
            "name": "Build",
            "actions": [
                {
                    "name": "Make",
                    "actionTypeId": {
                        "category": "Compute",
                        "owner": "AWS",
                        "provider": "Commands",
                        "version": "1",
                    },
                    "commands": ["make"],
                    "inputArtifacts": [{"name": "Source"}],
                }
            ],
        },
    ],
}

# A definition as `aws codepipeline get-pipeline` prints it, pasted below `spec`.
GET_PIPELINE: dict[str, Any] = {
    "name": "My_First.Pipeline",
    "roleArn": "arn:aws:iam::123456789012:role/Service",
    "artifactStore": {"type": "S3", "location": "codepipeline-us-east-1-1234567890"},
    "stages": [
        {
            "name": "Source",
            "actions": [
                {
                    "name": "Source",
                    "actionTypeId": {
                        "category": "Source",
                        "owner": "AWS",
                        "provider": "CodeCommit",
                        "version": "1",
                    },
                    "runOrder": 1,
                    "configuration": {
                        "BranchName": "main",
                        "PollForSourceChanges": "false",
                        "RepositoryName": "demo",
                    },
                    "outputArtifacts": [{"name": "SourceArtifact"}],
                    "inputArtifacts": [],
                    "region": "us-east-1",
                    "namespace": "SourceVariables",
                }
            ],
        },
        {
            "name": "Deploy",
            "actions": [
                {
                    "name": "Deploy",
                    "actionTypeId": {
                        "category": "Deploy",
                        "owner": "AWS",
                        "provider": "CodeDeploy",
                        "version": "1",
                    },
                    "runOrder": 1,
                    "configuration": {"ApplicationName": "demo", "DeploymentGroupName": "demo"},
                    "outputArtifacts": [],
                    "inputArtifacts": [{"name": "SourceArtifact"}],
                    "region": "us-east-1",
                    "namespace": "DeployVariables",
                }
            ],
        },
    ],
    "version": 4,
    "executionMode": "SUPERSEDED",
    "pipelineType": "V1",
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the valid spec with one field set; a path such as ``stages.1.actions.0.runOrder``."""
    spec = copy.deepcopy(SPEC)
    *parents, last = path.split(".")
    node: Any = spec
    for part in parents:
        node = node[int(part)] if part.isdigit() else node.setdefault(part, {})
    node[int(last) if last.isdigit() else last] = value
    return spec


def pipeline(spec: dict[str, Any], name: str = "p") -> dict[str, Any]:
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "Pipeline",
        "metadata": {"name": name},
        "spec": spec,
    }


def run(**spec: Any) -> dict[str, Any]:
    spec = {"pipelineRef": {"name": "p"}, **spec}
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "PipelineRun",
        "metadata": {"name": "r"},
        "spec": spec,
    }


@pytest.mark.parametrize("spec", [SPEC, GET_PIPELINE], ids=["ours", "get-pipeline"])
def test_definition_of_codepipeline_is_accepted_as_it_is(
    kube: Kube, namespace: str, spec: dict[str, Any]
) -> None:
    stored = kube.create("pipelines", namespace, pipeline(spec))
    assert stored["spec"] == spec, "the server changed or dropped a field"


ACTION = "stages.1.actions.0"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("stages", [], "spec.stages"),
        ("stages.1.name", "Source", "Duplicate value"),
        ("stages.1.name", "no spaces", "spec.stages[1].name"),
        ("stages.1.name", "x" * 101, "spec.stages[1].name"),
        (f"{ACTION}.name", "", "spec.stages[1].actions[0].name"),
        (f"{ACTION}.runOrder", 0, "runOrder"),
        (f"{ACTION}.runOrder", 1000, "runOrder"),
        (f"{ACTION}.actionTypeId.category", "Nope", "Unsupported value"),
        (f"{ACTION}.actionTypeId.category", "Source", "first stage only (V-03)"),
        (f"{ACTION}.configuration", {"Image": "x" * 50_001}, "configuration.Image"),
        (f"{ACTION}.commands", ["x"] * 51, "commands"),
        (f"{ACTION}.commands", ["x" * 1001], "commands[0]"),
        (f"{ACTION}.outputVariables", ["a", "a"], "Duplicate value"),
        (
            f"{ACTION}.environmentVariables",
            [{"name": "a-b", "value": "x"}],
            "environmentVariables[0].name",
        ),
        (f"{ACTION}.timeoutInMinutes", 4, "timeoutInMinutes"),
        (f"{ACTION}.nope", 1, "unknown field"),
        ("nope", 1, "unknown field"),
        ("executionMode", "FAST", "Unsupported value"),
        ("roleArn", "me", "spec.roleArn"),
        ("artifactStore", {"type": "S3", "location": "Bad_Bucket"}, "location"),
        ("artifactStore", {"type": "S3", "location": "ok-1", "endpoint": "ftp://x"}, "endpoint"),
        ("pipelineType", "V1", "(V-23)"),
        ("variables", [{"name": "a", "defaultValue": ""}], "defaultValue"),
        (
            "disableInboundStageTransitions",
            [{"stageName": "Build"}],
            "disableInboundStageTransitions[0].reason",
        ),
        ("disableInboundStageTransitions", [{"stageName": "Build", "reason": "x" * 301}], "reason"),
        (
            "disableInboundStageTransitions",
            [{"stageName": "Build", "reason": "x"}] * 2,
            "Duplicate value",
        ),
    ],
)
def test_definition_that_breaks_a_rule_is_refused_with_the_fields_path(
    kube: Kube, namespace: str, path: str, value: Any, message: str
) -> None:
    with pytest.raises(KubeError) as raised:
        kube.create("pipelines", namespace, pipeline(changed(path, value)))
    assert message in raised.value.message


def test_bug_03_configuration_value_may_have_fifty_thousand_characters(
    kube: Kube, namespace: str
) -> None:
    """AWS's own error allows as many; it was a thousand."""
    made = kube.create(
        "pipelines",
        namespace,
        pipeline(changed(f"{ACTION}.configuration", {"Image": "x" * 50_000})),
    )
    assert len(made["spec"]["stages"][1]["actions"][0]["configuration"]["Image"]) == 50_000


def test_both_kinds_of_store_exclude_each_other(kube: Kube, namespace: str) -> None:
    store = {"type": "S3", "location": "bucket"}
    with pytest.raises(KubeError, match="V-12"):
        kube.create(
            "pipelines",
            namespace,
            pipeline({**SPEC, "artifactStore": store, "artifactStores": {"a": store}}),
        )


CHANGES: dict[str, Any] = {
    "pipelineRef": {"name": "other"},
    "variables": [{"name": "a", "value": "b"}],
    "sourceRevisions": [{"actionName": "Fetch", "revisionType": "COMMIT_ID", "revisionValue": "f"}],
    "trigger": {"triggerType": "Webhook"},
    "requestedBy": "somebody",
    "executionType": "STANDARD",
    "rollback": {"stageName": "Build", "targetRun": "other"},
}


def test_changes_tried_below_are_of_every_field_but_the_requests() -> None:
    assert set(CHANGES) == set(PipelineRunSpec.model_json_schema(by_alias=True)["properties"]) - {
        "stop",
        "retries",
        "overrides",
    }


def test_run_cannot_be_changed_once_it_is_created(kube: Kube, namespace: str) -> None:
    kube.create("pipelineruns", namespace, run())
    for field, value in CHANGES.items():
        with pytest.raises(KubeError) as raised:
            kube.patch("pipelineruns", namespace, "r", {"spec": {field: value}})
        assert f"spec.{field}: Invalid value" in raised.value.message
        assert "cannot be changed: start a new run" in raised.value.message
    labelled = kube.patch("pipelineruns", namespace, "r", {"metadata": {"labels": {"team": "a"}}})
    assert labelled["metadata"]["labels"] == {"team": "a"}


def test_oracle_o_17_stop_can_be_asked_once_and_only_be_raised_to_abandon(
    kube: Kube, namespace: str
) -> None:
    kube.create("pipelineruns", namespace, run())

    def ask(request: Any, user: str = "alice") -> dict[str, Any]:
        somebody = acting_as(kube, user, "system:masters")
        patched = somebody.patch("pipelineruns", namespace, "r", {"spec": {"stop": request}})
        stop: dict[str, Any] = patched["spec"]["stop"]
        return stop

    assert ask({"reason": "wrong", "requestedBy": "alice"}) == {
        "reason": "wrong",
        "requestedBy": "alice",
    }
    for refused in (
        {"reason": "other"},
        {"requestedBy": "mallory"},
        {"requestedBy": None},
        {"abandon": False},
    ):
        with pytest.raises(KubeError, match="DuplicatedStopRequest"):
            ask(refused)
    with pytest.raises(KubeError, match="a stop cannot be taken back"):
        ask(None)
    raised = {"abandon": True, "reason": "hangs", "requestedBy": "bob"}
    assert ask(raised, "bob") == raised
    for refused in ({"abandon": False}, {"abandon": None}, {"reason": "other"}):
        with pytest.raises(KubeError, match="DuplicatedStopRequest"):
            ask(refused)
    assert ask(raised) == raised, "the same request again changes nothing, as a re-sync by GitOps"


def test_reason_of_a_stop_is_at_most_200_characters(kube: Kube, namespace: str) -> None:
    kube.create("pipelineruns", namespace, run())
    with pytest.raises(KubeError, match=r"spec\.stop\.reason"):
        kube.patch("pipelineruns", namespace, "r", {"spec": {"stop": {"reason": "x" * 201}}})


ROLLBACK = {"stageName": "Build", "targetRun": "other"}


@pytest.mark.parametrize(
    "spec",
    [
        {"executionType": "ROLLBACK"},
        {"rollback": ROLLBACK},
        {"executionType": "STANDARD", "rollback": ROLLBACK},
        {"executionType": "ROLLBACK", "rollback": ROLLBACK, "variables": CHANGES["variables"]},
        {
            "executionType": "ROLLBACK",
            "rollback": ROLLBACK,
            "sourceRevisions": CHANGES["sourceRevisions"],
        },
    ],
)
def test_rollback_says_its_type_and_takes_all_else_from_its_target(
    kube: Kube, namespace: str, spec: dict[str, Any]
) -> None:
    with pytest.raises(KubeError, match="X-67"):
        kube.create("pipelineruns", namespace, run(**spec))


def test_rollback_names_its_target_in_one_of_two_ways(kube: Kube, namespace: str) -> None:
    targets: list[dict[str, str]] = [{}, {"targetRun": "other", "targetPipelineExecutionId": "uid"}]
    for target in targets:
        spec = {"executionType": "ROLLBACK", "rollback": {"stageName": "Build", **target}}
        with pytest.raises(KubeError, match="give either targetRun"):
            kube.create("pipelineruns", namespace, run(**spec))
    kube.create("pipelineruns", namespace, run(executionType="ROLLBACK", rollback=ROLLBACK))


def test_run_that_was_retried_can_be_asked_to_stop_anew(kube: Kube, namespace: str) -> None:
    kube.create(
        "pipelineruns",
        namespace,
        {**run(), "spec": {"pipelineRef": {"name": "p"}, "stop": {"abandon": True}}},
    )

    def ask(request: Any) -> Any:
        return kube.patch("pipelineruns", namespace, "r", {"spec": {"stop": request}})["spec"][
            "stop"
        ]

    assert ask({"afterRetries": 1, "reason": "again"})["reason"] == "again"
    for refused in ({"reason": "other"}, {"afterRetries": 0}, {"afterRetries": None}):
        with pytest.raises(
            KubeError,
            match="a run that was retried since is stopped anew with a greater afterRetries",
        ):
            ask(refused)
    assert ask({"afterRetries": 2, "abandon": None})["afterRetries"] == 2


def test_retries_are_only_ever_added_at_the_end(kube: Kube, namespace: str) -> None:
    kube.create("pipelineruns", namespace, run())
    first = {
        "stageName": "Build",
        "retryMode": "FAILED_ACTIONS",
        "requestedBy": "alice",
        "reason": "flaky",
    }
    second = {"stageName": "Build", "retryMode": "ALL_ACTIONS"}

    alice = acting_as(kube, "alice", "system:masters")

    def ask(retries: Any) -> Any:
        return alice.patch("pipelineruns", namespace, "r", {"spec": {"retries": retries}})["spec"][
            "retries"
        ]

    assert ask([first]) == [first]
    assert ask([first, second]) == [first, second]
    added = '[{"op": "add", "path": "/spec/retries/-", "value": {"stageName": "Prod"}}]'
    kube.kubectl("-n", namespace, "patch", "plr", "r", "--type=json", "-p", added)
    third = {"stageName": "Prod"}
    for refused in (
        [first],
        [second, first, third],
        [first, third, second],
        [{**first, "reason": "x"}, second, third],
    ):
        with pytest.raises(
            KubeError,
            match="retries are added at the end; those that stand there cannot be changed",
        ):
            ask(refused)
    with pytest.raises(KubeError, match="retries cannot be taken back"):
        ask(None)
    with pytest.raises(KubeError, match="must have at most 50 items"):
        ask([first, second, third, *[third] * 48])
    assert len(ask([first, second, third, *[third] * 47])) == 50


def test_overrides_are_only_ever_added_at_the_end(kube: Kube, namespace: str) -> None:
    kube.create("pipelineruns", namespace, run())
    first = {"stageName": "Build", "conditionType": "BEFORE_ENTRY", "reason": "urgent"}
    second = {"stageName": "Build", "conditionType": "ON_SUCCESS"}
    for overrides in ([first], [first, second]):
        kube.patch("pipelineruns", namespace, "r", {"spec": {"overrides": overrides}})
    for refused in ([second], [second, first], None):
        with pytest.raises(KubeError, match="overrides"):
            kube.patch("pipelineruns", namespace, "r", {"spec": {"overrides": refused}})
    with pytest.raises(KubeError, match="Unsupported value"):
        kube.patch(
            "pipelineruns",
            namespace,
            "r",
            {"spec": {"overrides": [first, second, {**first, "conditionType": "X"}]}},
        )


CHECK = {
    "name": "Check",
    "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"},
}


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ([{"result": "FAIL", "rules": []}], "rules"),
        (
            [{"result": "FAIL", "rules": [{**CHECK, "name": f"r{number}"} for number in range(6)]}],
            "at most 5 items",
        ),
        ([{"result": "FAIL", "rules": [CHECK, CHECK]}], "Duplicate value"),
        ([{"result": "FAIL", "rules": [CHECK]}] * 2, "at most 1 item"),
        ([{"result": "MAYBE", "rules": [CHECK]}], "Unsupported value"),
        ([{"result": "FAIL", "rules": [{**CHECK, "nope": 1}]}], "unknown field"),
        ([{"result": "FAIL", "rules": [{**CHECK, "timeoutInMinutes": 4}]}], "timeoutInMinutes"),
    ],
)
def test_v_21_condition_has_the_shape_of_codepipelines(
    kube: Kube, namespace: str, condition: Any, message: str
) -> None:
    for place in ("beforeEntry", "onSuccess", "onFailure"):
        with pytest.raises(KubeError) as raised:
            kube.create(
                "pipelines",
                namespace,
                pipeline(changed(f"stages.1.{place}", {"conditions": condition})),
            )
        assert message in raised.value.message
    kube.create(
        "pipelines",
        namespace,
        pipeline(changed("stages.1.beforeEntry", {"conditions": [{"rules": [CHECK]}]})),
    )


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        ({"result": "PANIC"}, "onFailure.result"),
        (
            {"result": "RETRY", "retryConfiguration": {"retryMode": "SOME"}},
            "retryConfiguration.retryMode",
        ),
        (
            {"result": "RETRY", "retryConfiguration": {"maxAttempts": 11}},
            "retryConfiguration.maxAttempts",
        ),
        (
            {"result": "RETRY", "retryConfiguration": {"backoffSeconds": 0}},
            "retryConfiguration.backoffSeconds",
        ),
    ],
)
def test_failure_of_a_stage_is_declared_in_codepipelines_words(
    kube: Kube, namespace: str, failure: Any, message: str
) -> None:
    with pytest.raises(KubeError) as raised:
        kube.create("pipelines", namespace, pipeline(changed("stages.1.onFailure", failure)))
    assert message in raised.value.message


def test_new_object_counts_as_unseen_and_its_status_is_a_subresource(
    kube: Kube, namespace: str
) -> None:
    created = kube.create("pipelineruns", namespace, {**run(), "status": {"state": "Succeeded"}})
    assert created["status"] == {"observedGeneration": -1}
    spoofed = kube.patch("pipelineruns", namespace, "r", {"status": {"state": "Succeeded"}})
    assert "state" not in spoofed["status"]


@pytest.mark.parametrize("short", ["pl", "plr", "penstock"])
def test_kubectl_knows_the_short_names_and_the_category(
    kube: Kube, namespace: str, short: str
) -> None:
    kube.create("pipelines", namespace, pipeline(SPEC))
    kube.create("pipelineruns", namespace, run())
    assert kube.kubectl("get", short, "-n", namespace, "-o", "name").strip()
