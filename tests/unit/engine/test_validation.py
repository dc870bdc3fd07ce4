"""Definitions that are refused, each with its path and its rule (V rows), and
those that only AWS refuses.
"""

from typing import Any

import pytest

from penstock.api.kinds.pipeline import PipelineSpec
from penstock.engine.definition.findings import Findings, Problem
from penstock.engine.definition.frozen import definition_of
from penstock.engine.definition.validation import validate
from tests.unit.engine.simulation import (
    STORE,
    commands_action,
    deploy_action,
    git_action,
    s3_action,
    stack_action,
    stage,
)


def check(*stages: dict[str, Any], has_default_store: bool = True, **fields: Any) -> Findings:
    spec = PipelineSpec.model_validate({"stages": list(stages), **fields})
    return validate(spec, has_default_store=has_default_store)


def problems(*stages: dict[str, Any], **fields: Any) -> list[str]:
    return [str(problem) for problem in check(*stages, **fields).problems]


SOURCE = stage("Source", git_action(namespace="Src"))


def build(*commands: str, **fields: Any) -> dict[str, Any]:
    return stage("Build", commands_action("Make", *commands, **fields))


def git(**configuration: str) -> dict[str, Any]:
    return stage("Source", {**git_action(), "configuration": configuration})


@pytest.mark.parametrize(
    ("stages", "problem"),
    [
        (
            [SOURCE, build(inputArtifacts=[{"name": "Nope"}])],
            'spec.stages[1].actions[0].inputArtifacts[0]: no earlier action makes the artifact '
            '"Nope" (V-08)',
        ),
        (
            [
                stage(
                    "Build",
                    commands_action("A", outputArtifacts=[{"name": "X"}]),
                    commands_action("B", inputArtifacts=[{"name": "X"}]),
                )
            ],
            'spec.stages[0].actions[1].inputArtifacts[0]: no earlier action makes the artifact "X" '
            '(V-08)',
        ),
        (
            [SOURCE, build(outputArtifacts=[{"name": "Source"}])],
            'spec.stages[1].actions[0].outputArtifacts[0]: another action makes "Source" already '
            '(V-07)',
        ),
        (
            [SOURCE, stage("Prod", {**deploy_action(artifact="Source"), "inputArtifacts": []})],
            "spec.stages[1].actions[0].inputArtifacts: Kubernetes takes 1 to 5, not 0 (V-09)",
        ),
        (
            [git(Url="http://x/y", Nope="1")],
            "spec.stages[0].actions[0].configuration.Nope: unknown key for this provider (V-10)",
        ),
        ([git()], "spec.stages[0].actions[0].configuration.Url: Field required"),
        (
            [git(Url="file:///etc")],
            "spec.stages[0].actions[0].configuration.Url: only http:// and https:// URLs are "
            "fetched",
        ),
        (
            [git(Url="http://user:word@host/x")],
            "spec.stages[0].actions[0].configuration.Url: credentials belong into "
            "CredentialsSecret, not into the URL",
        ),
        (
            [git(Url="http://x/y", Branch="a", Tag="b")],
            "spec.stages[0].actions[0].configuration: Branch, Tag and Commit exclude each other",
        ),
        (
            [git(Url="http://x/y", Branch="--upload-pack=x")],
            "spec.stages[0].actions[0].configuration.Branch: a name that begins with '-' is "
            "refused: git would read it as an option",
        ),
        ([SOURCE, build(namespace="variables")], 'spec.stages[1].actions[0].namespace: "variables" '
                                                 'is reserved (V-11)'),
        (
            [SOURCE, build(namespace="Src")],
            'spec.stages[1].actions[0].namespace: another action has the namespace "Src" (V-11)',
        ),
        (
            [SOURCE, build(namespace="Source")],
            'spec.stages[1].actions[0].namespace: "Source" is the name of an artifact (V-11)',
        ),
        (
            [SOURCE, build("echo #{Nope.X}")],
            'spec.stages[1].actions[0].commands[0]: #{Nope.X}: no action has the namespace "Nope" '
            '(W-02)',
        ),
        (
            [stage("Build", commands_action("A", namespace="A"),
            commands_action("B", "echo #{A.X}"))],
            "spec.stages[0].actions[1].commands[0]: #{A.X}: the action that makes it must run "
            "before (V-15)",
        ),
        (
            [SOURCE, build("echo #{codepipeline.Other}")],
            "spec.stages[1].actions[0].commands[0]: #{codepipeline.Other}: only "
            "PipelineExecutionId exists there (W-02)",
        ),
        (
            [SOURCE, build("echo #{variables.X}")],
            "spec.stages[1].actions[0].commands[0]: #{variables.X}: spec.variables declares no "
            "such variable",
        ),
        (
            [SOURCE, stage("Build", {**commands_action("A"), "commands": []})],
            "spec.stages[1].actions[0].commands: at least one command is needed (P-18)",
        ),
        ([stage("Source", git_action(commands=["x"]))], "spec.stages[0].actions[0].commands: Git "
                                                        "takes no commands"),
    ],
)  # fmt: skip
def test_invalid_definition_is_told_with_the_fields_path(
    stages: list[dict[str, Any]], problem: str
) -> None:
    assert problem in problems(*stages)


def test_reference_in_the_text_of_a_shell_is_refused_at_validation() -> None:
    (found,) = problems(SOURCE, build("sh -c 'echo #{Src.CommitId}'"))
    assert found.startswith(
        "spec.stages[1].actions[0].commands[0]: #{Src.CommitId} stands in the text of 'sh -c'"
    )


def test_pipeline_variable_in_a_source_action_is_refused() -> None:
    (found,) = problems(
        git(Url="http://x/#{variables.Repo}"), variables=[{"name": "Repo", "defaultValue": "x"}]
    )
    assert found.endswith("pipeline variables cannot be used in source actions (W-03)")


def test_configuration_value_with_a_reference_is_judged_when_it_is_resolved() -> None:
    manifests = {
        **deploy_action(artifact="Source"),
        "configuration": {"Namespace": "#{variables.Target}"},
    }
    assert problems(SOURCE, stage("Prod", manifests), variables=[{"name": "Target"}]) == []


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        (
            {
                "artifactStores": {
                    "eu-west-1": {"location": "b-1"},
                    "us-east-1": {"location": "b-2"},
                }
            },
            "spec.artifactStores",
        ),
    ],
)
def test_field_that_is_not_acted_on_is_refused_by_its_path(
    fields: dict[str, Any], path: str
) -> None:
    found = check(SOURCE, build(), **fields).problems
    assert [(problem.path, problem.reason) for problem in found] == [(path, "UnsupportedField")]


def paths(findings: tuple[Problem, ...]) -> list[str]:
    return [finding.path for finding in findings]


@pytest.mark.parametrize("second", [None, "us-east-1"])
def test_definition_11_one_region_everywhere_is_accepted_with_a_warning(second: str | None) -> None:
    source = stage("Source", {**git_action(), "region": "us-east-1"})
    found = check(source, build(**({"region": second} if second else {})))

    assert found.problems == ()
    wanted = ["spec.stages[0].actions[0].region"] + (
        ["spec.stages[1].actions[0].region"] if second else []
    )
    assert paths(found.warnings) == wanted


def test_definition_11_regions_that_differ_are_refused_where_the_provider_cannot_act_on_them() -> (
    None
):
    stack = {**stack_action(artifact="Source"), "region": "eu-west-1"}
    found = check(
        stage("Source", {**git_action(), "region": "us-east-1"}), stage("Prod", stack)
    ).problems

    assert paths(found) == ["spec.stages[0].actions[0].region"]
    assert found[0].reason == "UnsupportedField"
    assert "several regions" in found[0].message


def test_definition_12_stores_of_one_region_are_the_store() -> None:
    spec = PipelineSpec.model_validate(
        {"stages": [SOURCE, build()], "artifactStores": {"us-east-1": {"location": "b-1"}}}
    )

    assert validate(spec, has_default_store=False).problems == ()
    store = definition_of(spec, default_store=None).artifact_store
    assert store is not None
    assert store.location == "b-1"


def test_definition_12_stores_of_several_regions_are_one_problem() -> None:
    stores = {"us-east-1": {"location": "b-1"}, "eu-west-1": {"location": "b-2"}}
    (found,) = check(SOURCE, build(), has_default_store=False, artifactStores=stores).problems
    assert str(found).startswith(
        "spec.artifactStores: Penstock keeps all artifacts in one store; leave one of the regions "
        "eu"
    )


KEY = {"type": "KMS", "id": "arn:aws:kms:us-east-1:111122223333:key/x"}


@pytest.mark.parametrize("key", ["artifactStore", "artifactStores"])
def test_definition_13_encryption_key_is_acted_on(key: str) -> None:
    store = {"location": "b-1", "encryptionKey": KEY}
    fields: dict[str, Any] = {key: store if key == "artifactStore" else {"us-east-1": store}}
    found = check(SOURCE, build(), **fields)
    assert (found.problems, found.warnings) == ((), ())


def test_definition_13_encryption_key_of_a_volume_is_refused_by_name() -> None:
    (found,) = problems(
        SOURCE, build(), artifactStore={"type": "Volume", "location": "claim", "encryptionKey": KEY}
    )
    assert (
        found
        == "spec.artifactStore.encryptionKey: means nothing for a store of type Volume; remove it"
    )


@pytest.mark.parametrize("mode", ["CHANGE_SET_EXECUTE", "DELETE_ONLY"])
def test_definition_16_mode_without_a_template_reads_none(mode: str) -> None:
    keys = {
        "StackName": "s",
        "ChangeSetName": "c",
        "TemplatePath": "App::t.yaml",
        "ActionMode": mode,
    }
    action = {**stack_action(), "configuration": keys, "inputArtifacts": []}

    found = check(SOURCE, stage("Prod", action))

    assert found.problems == ()
    assert paths(found.warnings) == ["spec.stages[1].actions[0].configuration.TemplatePath"]


RULE: dict[str, Any] = {
    "name": "Check",
    "ruleTypeId": {"category": "Rule", "provider": "VariableCheck"},
    "configuration": {"Variable": "#{Src.CommitId}", "Value": "x", "Operator": "EQ"},
}


@pytest.mark.parametrize(
    ("failure", "path", "reason"),
    [
        ({}, "result", "InvalidPipeline"),
        (
            {"result": "RETRY", "conditions": [{"result": "ROLLBACK", "rules": [RULE]}]},
            "result",
            "InvalidPipeline",
        ),
        ({"result": "FAIL"}, "result", "InvalidPipeline"),
    ],
)
def test_failure_that_declares_no_retry_is_refused_by_its_path(
    failure: Any, path: str, reason: str
) -> None:
    (found,) = check(SOURCE, {**build(), "onFailure": failure}).problems
    assert (found.path, found.reason) == (f"spec.stages[1].onFailure.{path}", reason)


def changed(**fields: Any) -> dict[str, Any]:
    """Return the rule with some fields changed; those of its configuration stand in
    ``configuration``.
    """
    return {
        **RULE,
        **fields,
        "configuration": {**RULE["configuration"], **fields.get("configuration", {})},
    }


def window(cron: str, zone: str = "UTC") -> dict[str, Any]:
    type_id = {"category": "Rule", "provider": "DeploymentWindow"}
    return {"name": "W", "ruleTypeId": type_id, "configuration": {"Cron": cron, "TimeZone": zone}}


@pytest.mark.parametrize(
    ("place", "result", "rule", "path", "words"),
    [
        ("beforeEntry", "ROLLBACK", RULE, "result", "FAIL or SKIP is (C-02)"),
        ("beforeEntry", None, RULE, "result", "no result is not allowed here"),
        ("onSuccess", "SKIP", RULE, "result", "FAIL or ROLLBACK is (C-02)"),
        ("onFailure", "FAIL", RULE, "result", "ROLLBACK is (C-02)"),
        (
            "beforeEntry",
            "SKIP",
            window("0 0 9 ? * *"),
            "rules[0].ruleTypeId.provider",
            "VariableCheck alone",
        ),
        (
            "beforeEntry",
            "FAIL",
            window("0 0 9 1 * MON"),
            "rules[0].configuration.Cron",
            "must be ?",
        ),
        (
            "beforeEntry",
            "FAIL",
            window("0 0 9 ? * *", "Mars/X"),
            "rules[0].configuration.Cron",
            "no time zone",
        ),
        (
            "beforeEntry",
            "FAIL",
            changed(configuration={"Operator": "GT"}),
            "rules[0].configuration.Operator",
            "GT is",
        ),
        (
            "beforeEntry",
            "FAIL",
            changed(configuration={"X": "1"}),
            "rules[0].configuration.X",
            "unknown key",
        ),
        (
            "beforeEntry",
            "FAIL",
            changed(configuration={"Operator": "MATCHES", "Value": "(a"}),
            "rules[0].configuration.Value",
            "is no regular expression",
        ),
        (
            "beforeEntry",
            "FAIL",
            changed(commands=["x"]),
            "rules[0].commands",
            "VariableCheck takes no commands",
        ),
        (
            "beforeEntry",
            "FAIL",
            changed(region="eu-west-1"),
            "rules[0].region",
            "does not act on it",
        ),
        (
            "beforeEntry",
            "FAIL",
            {"name": "R", "ruleTypeId": {"category": "Rule", "provider": "Commands"}},
            "rules[0].commands",
            "at least one command",
        ),
        (
            "onSuccess",
            "ROLLBACK",
            {"name": "R", "ruleTypeId": {"category": "Rule", "provider": "CloudWatchAlarm"}},
            "rules[0].configuration.AlarmName",
            "Field required",
        ),
        (
            "onSuccess",
            "FAIL",
            {"name": "R", "ruleTypeId": {"category": "Rule", "provider": "Weather"}},
            "rules[0].ruleTypeId.provider",
            "known are CloudWatchAlarm, CodeBuild, Commands, DeploymentWindow, LambdaInvoke, "
            "VariableCheck",
        ),
    ],
)
def test_condition_that_makes_no_sense_is_refused_by_its_path(
    place: str, result: str | None, rule: dict[str, Any], path: str, words: str
) -> None:
    condition = {"rules": [rule], **({"result": result} if result else {})}
    (found,) = check(SOURCE, {**build(), place: {"conditions": [condition]}}).problems
    assert found.path == f"spec.stages[1].{place}.conditions[0].{path}"
    assert words in found.message


@pytest.mark.parametrize(
    ("place", "variable", "words"),
    [
        ("beforeEntry", "#{Made.TAG}", "the action that makes it must run before (V-15)"),
        ("onSuccess", "#{Late.TAG}", "the action that makes it must run before (V-15)"),
        ("onSuccess", "#{Made.TAG}", ""),
        ("onFailure", "#{Nope.TAG}", 'no action has the namespace "Nope" (W-02)'),
        ("beforeEntry", "#{variables.NONE}", "spec.variables declares no such variable"),
        ("beforeEntry", "#{codepipeline.Other}", "only PipelineExecutionId exists there (W-02)"),
        ("beforeEntry", "#{codepipeline.PipelineExecutionId} #{variables.A}", ""),
    ],
)
def test_v_15_rule_reads_what_was_made_before_it(place: str, variable: str, words: str) -> None:
    rule = changed(configuration={"Variable": variable})
    condition = {
        "conditions": [
            {"result": "ROLLBACK" if place != "beforeEntry" else "FAIL", "rules": [rule]}
        ]
    }
    late = {"name": "Late", "actions": [{**build(namespace="Late")["actions"][0], "name": "Last"}]}
    own = {**build(namespace="Made"), place: condition}
    found = [item.message for item in check(SOURCE, own, late, variables=[{"name": "A"}]).problems]
    assert found == ([] if not words else [f"{variable}: {words}"])


@pytest.mark.parametrize(("place", "count"), [("beforeEntry", 1), ("onSuccess", 0)])
def test_v_08_rule_reads_an_artifact_that_was_made_before_it(place: str, count: int) -> None:
    rule = {
        "name": "R",
        "ruleTypeId": {"category": "Rule", "provider": "Commands"},
        "commands": ["true"],
    }
    condition = {
        "conditions": [
            {"result": "FAIL", "rules": [{**rule, "inputArtifacts": [{"name": "Made"}]}]}
        ]
    }
    found = check(
        SOURCE, {**build(outputArtifacts=[{"name": "Made", "files": ["x"]}]), place: condition}
    ).problems
    paths = [f"spec.stages[1].{place}.conditions[0].rules[0].inputArtifacts[0]"] * count
    assert [item.path for item in found] == paths


def test_role_of_a_rule_is_accepted_and_named() -> None:
    rule = {**RULE, "roleArn": "arn:aws:iam::123456789012:role/service"}
    found = check(
        SOURCE, {**build(), "onSuccess": {"conditions": [{"result": "FAIL", "rules": [rule]}]}}
    )
    assert found.problems == ()
    assert [item.path for item in found.warnings] == [
        "spec.stages[1].onSuccess.conditions[0].rules[0].roleArn"
    ]


def test_v_21_condition_is_exactly_one() -> None:
    (found,) = check(SOURCE, {**build(), "onSuccess": {"conditions": []}}).problems
    assert found.path == "spec.stages[1].onSuccess.conditions"


def test_x_39_parallel_pipeline_has_no_rollback_in_its_conditions() -> None:
    condition = {"conditions": [{"result": "ROLLBACK", "rules": [RULE]}]}
    found = check(SOURCE, {**build(), "onSuccess": condition}, executionMode="PARALLEL").problems
    assert [item.path for item in found] == ["spec.stages[1].onSuccess.conditions[0].result"]


def test_x_65_retry_is_valid_on_any_stage_the_source_included() -> None:
    retry = {"onFailure": {"result": "RETRY", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}}}
    assert check({**SOURCE, **retry}, {**build(), **retry}).problems == ()


def test_retries_beyond_the_one_of_aws_are_named_as_incompatible() -> None:
    wanted = {"result": "RETRY", "retryConfiguration": {"maxAttempts": 3, "backoffSeconds": 10}}
    found = check(SOURCE, {**build(), "onFailure": wanted})
    assert found.problems == ()
    path = "spec.stages[1].onFailure.retryConfiguration"
    named = {item.path for item in found.incompatibilities}
    assert {f"{path}.maxAttempts", f"{path}.backoffSeconds"} <= named


def test_field_without_effect_is_accepted_and_named() -> None:
    role = "arn:aws:iam::123456789012:role/service"
    found = check(
        SOURCE, build(configuration={"VpcId": "vpc-1"}), version=3, pipelineType="V2", roleArn=role
    )
    assert found.problems == ()
    assert [problem.path for problem in found.warnings] == [
        "spec.version",
        "spec.pipelineType",
        "spec.roleArn",
        "spec.stages[1].actions[0].configuration.VpcId",
    ]


def test_rules_that_only_aws_imposes_are_no_errors_here() -> None:
    found = check(stage("Build", commands_action("Make")))
    assert found.problems == ()
    assert [str(problem).rpartition("(")[2].rstrip(")") for problem in found.incompatibilities] == [
        "V-01",
        "V-02",
        "P-18",
    ]


@pytest.mark.parametrize(
    ("stages", "rule"),
    [
        ([stage("Build", commands_action("Make"))], "V-01"),
        ([stage("Source", git_action(), commands_action("Make")), build()], "V-02"),
        ([SOURCE, stage("More", s3_action())], "V-04"),
    ],
)
def test_oracle_o_20_structure_that_aws_refuses_is_named_by_its_rule(
    stages: list[dict[str, Any]], rule: str
) -> None:
    """Sources after the first stage (V-03) and duplicate names (V-05..V-07)
    are refused by the API server and here.
    """
    assert f"({rule})" in " ".join(str(problem) for problem in check(*stages).incompatibilities)


def test_oracle_o_21_artifact_of_the_same_run_order_is_no_input() -> None:
    makes = commands_action("A", outputArtifacts=[{"name": "X"}])
    reads = commands_action("B", inputArtifacts=[{"name": "X"}])
    (found,) = problems(stage("Build", makes, reads))
    assert (
        found
        == 'spec.stages[0].actions[1].inputArtifacts[0]: no earlier action makes the artifact "X" '
        "(V-08)"
    )
    assert problems(stage("Build", makes, {**reads, "runOrder": 2})) == []


def test_pipeline_without_any_store_is_told_to_name_one() -> None:
    (found,) = problems(SOURCE, build(), has_default_store=False)
    assert found == (
        "spec.artifactStore: a pipeline needs a store to keep its artifacts: set one, or the "
        "chart's defaultArtifactStore"
    )
    assert problems(SOURCE, build(), has_default_store=False, artifactStore=STORE.to_dict()) == []


def test_volume_store_takes_a_claim_and_nothing_of_s3() -> None:
    volume = {"type": "Volume", "location": "artifacts"}
    assert problems(SOURCE, build(), artifactStore=volume) == []
    assert problems(SOURCE, build(), artifactStore={**volume, "region": "eu-west-1"}) == [
        "spec.artifactStore.region: means nothing for a store of type Volume; remove it"
    ]


def test_disabled_transition_of_no_stage_is_refused_with_its_path() -> None:
    disabled = [
        {"stageName": "Source", "reason": "freeze"},
        {"stageName": "Prod", "reason": "freeze"},
    ]
    assert problems(SOURCE, build(), disableInboundStageTransitions=disabled) == [
        'spec.disableInboundStageTransitions[1].stageName: the pipeline has no stage "Prod"; it '
        "has Source, Build"
    ]


@pytest.mark.parametrize(
    ("configuration", "key"),
    [
        ({"TemplatePath": "Nope::template.yaml"}, "TemplatePath"),
        ({"TemplateConfiguration": "Nope::prod.json"}, "TemplateConfiguration"),
        (
            {"ParameterOverrides": '{"A": {"Fn::GetArtifactAtt": ["Nope", "URL"]}}'},
            "ParameterOverrides",
        ),
        ({"TemplatePath": "#{Src.BranchName}::template.yaml"}, ""),
    ],
)
def test_file_of_an_artifact_that_the_action_has_not_is_told_before_a_run(
    configuration: dict[str, str], key: str
) -> None:
    action = stack_action(artifact="Source")
    action["configuration"] |= configuration
    path = f"spec.stages[1].actions[0].configuration.{key}"
    expected = [f'{path}: "Nope" is no input artifact of the action'] if key else []
    assert problems(SOURCE, stage("Cloud", action)) == expected


def test_template_to_publish_is_of_an_input_artifact() -> None:
    action = stack_action(artifact="Source")
    action["actionTypeId"]["provider"] = "ServerlessApplicationRepository"
    action["configuration"] = {"TemplatePath": "Nope::template.yaml"}
    path = "spec.stages[1].actions[0].configuration.TemplatePath"
    assert problems(SOURCE, stage("Cloud", action)) == [
        f'{path}: "Nope" is no input artifact of the action'
    ]
