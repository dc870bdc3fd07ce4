"""What of a CloudFormation action is judged before a run (P-36), with the path of what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.actions.cloudformation.declaration import DECLARATION
from penstock.engine.definition.configurations import configuration_problems

COMPLETE = {
    "ActionMode": "CREATE_UPDATE", "StackName": "shop", "TemplatePath": "App::a/template.yaml",
    "RoleArn": "arn:aws:iam::123456789012:role/deploy",
    "Capabilities": "CAPABILITY_IAM,CAPABILITY_AUTO_EXPAND",
    "TemplateConfiguration": "App::prod.json", "OutputFileName": "outputs.json",
    "ChangeSetName": "changes",
    "ParameterOverrides": '{"A": "1", "B": {"Fn::GetParam": ["App", "x.json", "k"]}, "C": 1, "D": '
                          '["a", "b"]}',
}  # fmt: skip


def problems(**configuration: Any) -> list[str]:
    wanted = {
        key: value for key, value in {**COMPLETE, **configuration}.items() if value is not None
    }
    return [str(problem) for problem in configuration_problems("spec", DECLARATION, wanted)]


@pytest.mark.parametrize("mode", ["CREATE_UPDATE", "REPLACE_ON_FAILURE", "CHANGE_SET_REPLACE"])
def test_p_36_complete_configuration_is_accepted(mode: str) -> None:
    assert problems(ActionMode=mode) == []


@pytest.mark.parametrize("mode", ["CREATE_UPDATE", "REPLACE_ON_FAILURE", "CHANGE_SET_REPLACE"])
def test_p_36_mode_that_makes_something_needs_a_template(mode: str) -> None:
    assert problems(ActionMode=mode, TemplatePath=None) == [
        f"spec.configuration.TemplatePath: {mode} needs it: the template, as Artifact::file"
    ]


@pytest.mark.parametrize("mode", ["CHANGE_SET_REPLACE", "CHANGE_SET_EXECUTE"])
def test_p_36_mode_of_change_sets_needs_a_name(mode: str) -> None:
    expected = f"spec.configuration.ChangeSetName: {mode} needs it: the change set's name"
    assert problems(ActionMode=mode, ChangeSetName=None) == [expected]


def test_p_36_deleting_needs_nothing_but_the_stack() -> None:
    needless = {key: None for key in COMPLETE if key not in ("ActionMode", "StackName")}
    assert problems(**{**needless, "ActionMode": "DELETE_ONLY"}) == []


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("ActionMode", "UPSERT", "Input should be"),
        ("StackName", "1st", "should match pattern"),
        ("StackName", None, "Field required"),
        ("Capabilities", "CAPABILITY_IAM, CAPABILITY_NAMED_IAM", "should match pattern"),
        ("TemplatePath", "template.yaml", "should match pattern"),
        ("RoleArn", "deploy", "should match pattern"),
        ("OutputFileName", "../x", "no empty, '.' or '..' part"),
        ("ParameterOverrides", "A=1", "not JSON"),
        ("ParameterOverrides", "[]", "a JSON object"),
        (
            "ParameterOverrides",
            '{"A": {"Ref": "B"}}',
            "A: the functions here are Fn::GetParam, Fn::GetArtifactAtt",
        ),
        (
            "ParameterOverrides",
            '{"A": {"Fn::GetParam": ["App"]}}',
            "A: Fn::GetParam takes a list of 3 texts",
        ),
        ("ParameterOverrides", '{"A": {"Fn::GetArtifactAtt": ["App", "Size"]}}', "and no Size"),
        ("ParameterOverrides", '{"A": #{S.Id}}', "within quotes"),
        ("ParameterOverrides", '{"A": null}', "A: a text, or one of"),
        ("Colour", "red", "unknown key for this provider (V-10)"),
    ],
)
def test_v_10_wrong_value_is_named_with_its_path(key: str, value: str | None, words: str) -> None:
    (problem,) = problems(**{key: value})
    assert problem.startswith(f"spec.configuration.{key}: ")
    assert words in problem


def test_values_with_references_are_judged_when_they_are_resolved() -> None:
    given = {
        "ActionMode": "#{variables.Mode}",
        "TemplatePath": None,
        "ChangeSetName": None,
        "StackName": "#{S.Id}",
    }
    assert problems(**given, ParameterOverrides='{"A": "#{S.Id}"}') == []
