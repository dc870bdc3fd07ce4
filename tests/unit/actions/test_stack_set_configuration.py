"""What of stack sets and their instances is judged before a run (P-40, P-41):
lists, targets, keys.
"""

from __future__ import annotations

from typing import Any

import pytest

from penstock.actions.cloudformation_stack_instances.declaration import DECLARATION as INSTANCES
from penstock.actions.cloudformation_stack_set.declaration import DECLARATION as SET
from penstock.actions.cloudformation_stack_set.lists import as_json, read_parameters
from penstock.engine.definition.configurations import configuration_problems
from penstock.engine.language.json_values import resolve_json
from penstock.engine.language.variables import Reference

ONE, OTHER = "111111111111", "222222222222"


@pytest.mark.parametrize(
    "given",
    [
        "ParameterKey=Colour,ParameterValue=blue, and ParameterKey=Size,UsePreviousValue=true",
        '[{"ParameterKey": "Colour", "ParameterValue": "blue, and"}, {"ParameterKey": "Size", '
        '"UsePreviousValue": true}]',
    ],
)
def test_p_40_parameters_are_a_literal_list_or_json(given: str) -> None:
    assert read_parameters(given) == [
        {"ParameterKey": "Colour", "ParameterValue": "blue, and"},
        {"ParameterKey": "Size", "UsePreviousValue": True},
    ]


def test_value_of_a_variable_adds_no_parameter() -> None:
    values = {Reference("S", "Id"): "x ParameterKey=Admin,ParameterValue=yes"}
    text = as_json("ParameterKey=Version,ParameterValue=#{S.Id}")
    assert text is not None
    assert read_parameters(resolve_json(text, values)) == [
        {"ParameterKey": "Version", "ParameterValue": values[Reference("S", "Id")]}
    ]


@pytest.mark.parametrize(
    ("declared", "key", "value", "words"),
    [
        (SET, "TemplatePath", None, "Field required"),
        (SET, "StackSetName", None, "Field required"),
        (SET, "DeploymentTargets", None, "go together"),
        (SET, "Regions", None, "go together"),
        (SET, "DeploymentTargets", "12", "ids of accounts"),
        (SET, "DeploymentTargets", f"{ONE},ou-abcd-12345678", "exclude each other"),
        (SET, "Parameters", "Colour=blue", "a list is wanted"),
        (SET, "Parameters", "ParameterKey=Colour", "Colour: ParameterValue is not there"),
        (SET, "PermissionModel", "OTHER", "Input should be"),
        (SET, "MaxConcurrentPercentage", "0", "should match pattern"),
        (INSTANCES, "Regions", None, "Field required"),
        (INSTANCES, "DeploymentTargets", None, "Field required"),
        (INSTANCES, "ParameterOverrides", '[{"ParameterKey": 1}]', "a parameter has ParameterKey"),
        (INSTANCES, "TemplatePath", "A::b", "unknown key for this provider (V-10)"),
    ],
)
def test_wrong_value_is_named_with_its_path(
    declared: Any, key: str, value: str | None, words: str
) -> None:
    given = {
        "StackSetName": "s",
        "DeploymentTargets": ONE,
        "Regions": "eu-west-1",
        "TemplatePath": "A::t",
    }
    if declared is INSTANCES:
        del given["TemplatePath"]
    given = {name: text for name, text in {**given, key: value}.items() if text is not None}
    found = [str(problem) for problem in configuration_problems("spec", declared, given)]
    assert len(found) == 1, found
    assert words in found[0]


@pytest.mark.parametrize(
    "targets", [f"{ONE},{OTHER}", "ou-abcd-12345678,r-abcd", "A::accounts.json", "#{S.Id}"]
)
def test_complete_configuration_is_accepted(targets: str) -> None:
    given = {"StackSetName": "s", "DeploymentTargets": targets, "Regions": "eu-west-1,us-east-1"}
    parameters = "ParameterKey=A,ParameterValue=#{S.Id} ParameterKey=B,ParameterValue=2"
    assert not list(
        configuration_problems("", SET, {**given, "TemplatePath": "A::t", "Parameters": parameters})
    )
    assert not list(
        configuration_problems("", INSTANCES, {**given, "ParameterOverrides": "A::p.json"})
    )
