"""Definitions with manual approvals: what is refused, and what is accepted
without effect (P-60).
"""

from typing import Any

import pytest

from penstock.api.kinds.pipeline import PipelineSpec
from penstock.engine.definition.findings import Findings
from penstock.engine.definition.validation import validate
from tests.unit.engine.simulation import approval_action, stage


def check(**action: Any) -> Findings:
    spec = PipelineSpec.model_validate({"stages": [stage("Prod", approval_action(**action))]})
    return validate(spec, has_default_store=True)


@pytest.mark.parametrize(
    "configuration",
    [
        {},
        {
            "CustomData": "Ship #{codepipeline.PipelineExecutionId}?",
            "ExternalEntityLink": "https://example.com/a",
        },
        {"ApproverUsers": "alice, bob", "Quorum": "2", "ExcludeStarter": "true"},
        {"ApproverUsers": "alice", "ApproverGroups": "release", "Quorum": "3"},
    ],
    ids=str,
)
def test_approval_is_accepted(configuration: dict[str, str]) -> None:
    assert check(configuration=configuration) == Findings(
        incompatibilities=check().incompatibilities
    )


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        ({"inputArtifacts": [{"name": "X"}]}, "inputArtifacts: Manual takes 0, not 1 (V-09)"),
        ({"outputArtifacts": [{"name": "X"}]}, "outputArtifacts: Manual takes 0, not 1 (V-09)"),
        ({"commands": ["true"]}, "commands: Manual takes no commands"),
        (
            {"configuration": {"Approvers": "me"}},
            "configuration.Approvers: unknown key for this provider (V-10)",
        ),
        ({"configuration": {"ApproverUsers": " , "}}, "configuration.ApproverUsers: names nobody"),
        ({"configuration": {"Quorum": "0"}}, "configuration.Quorum: String should match"),
        (
            {"configuration": {"ApproverUsers": "alice", "Quorum": "2"}},
            "Quorum is 2, but ApproverUsers names 1",
        ),
        (
            {"configuration": {"ApproverUsers": "alice,alice", "Quorum": "2"}},
            "Quorum is 2, but ApproverUsers names 1",
        ),
        (
            {"configuration": {"ExternalEntityLink": "javascript:alert(1)"}},
            "configuration.ExternalEntityLink: ",
        ),
        *(
            (
                {"configuration": {key: "#{codepipeline.PipelineExecutionId}"}},
                f"configuration.{key}: who may decide",
            )
            for key in ("ApproverUsers", "ApproverGroups", "Quorum", "ExcludeStarter")
        ),
    ],
    ids=str,
)
def test_approval_that_cannot_work_is_refused_with_its_path(
    action: dict[str, Any], problem: str
) -> None:
    found = [str(item) for item in check(**action).problems]
    assert any(
        f"spec.stages[0].actions[0].{problem}" in text or problem in text for text in found
    ), found


def test_sns_topic_is_accepted_without_effect() -> None:
    warnings = [
        str(item)
        for item in check(configuration={"NotificationArn": "arn:aws:sns:eu-west-1:1:t"}).warnings
    ]
    assert warnings == [
        "spec.stages[0].actions[0].configuration.NotificationArn: accepted, without effect here"
    ]
