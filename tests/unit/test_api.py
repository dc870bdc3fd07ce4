"""The objects: generated CRDs are current and structural, names legal,
conditions as the table says.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from penstock.api.crd.crds import RESOURCES, CustomResource, crd_of
from penstock.api.crd.schema import UntranslatableError, structural_schema
from penstock.api.kinds.pipeline import PipelineSpec
from penstock.api.kinds.run import PipelineRunStatus, RunState
from penstock.api.model import list_map
from penstock.api.names import child_name, hash_of, job_name, slug_of
from penstock.api.status.conditions import Condition, merge
from penstock.cli.crds import render
from penstock.engine.definition.findings import Findings
from penstock.engine.definition.validation import validate
from penstock.engine.status.run_conditions import with_conditions

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "crds" / "README.md"
NAMES = st.text(alphabet="ABCxyz019.@-_", min_size=1, max_size=100)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.plural)
@pytest.mark.parametrize("folder", ["crds", "charts/penstock/files/crds"])
def test_generated_crd_is_current(resource: CustomResource, folder: str) -> None:
    assert (ROOT / folder / f"{resource.plural}.yaml").read_text() == render(resource), (
        "run `make crds`"
    )


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.plural)
def test_crd_holds_nothing_that_a_structural_schema_forbids(resource: CustomResource) -> None:
    text = json.dumps(crd_of(resource))
    forbidden = (
        "$ref",
        "anyOf",
        "oneOf",
        "allOf",
        "const",
        "title",
        "uniqueItems",
        "prefixItems",
        "patternProperties",
    )
    assert [word for word in forbidden if f'"{word}"' in text] == []
    assert len(text) < 100_000


def walk(schema: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [*schema.get("properties", {}).values()]
    inner += [
        schema[key]
        for key in ("items", "additionalProperties")
        if isinstance(schema.get(key), dict)
    ]
    return [schema, *(item for child in inner for item in walk(child))]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.plural)
def test_every_string_and_list_of_a_spec_is_bounded(resource: CustomResource) -> None:
    spec = crd_of(resource)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][
        "spec"
    ]
    for schema in walk(spec):
        if schema.get("type") == "array":
            assert "maxItems" in schema, schema
        if schema.get("type") == "string" and "enum" not in schema:
            assert "maxLength" in schema, schema


class Recursive(BaseModel):
    children: Annotated[tuple["Recursive", ...], Field(json_schema_extra=list_map("x"))] = ()


class Union(BaseModel):
    value: int | str


class Bare(BaseModel):
    values: list[str]


class Untyped(BaseModel):
    value: Any


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Recursive, "contains itself"),
        (Union, "Union.value: anyOf of 2 kinds"),
        (Bare, "Bare.values: say how the list merges"),
        (Untyped, "Untyped.value: has no type"),
    ],
)
def test_model_that_no_structural_schema_can_say_is_refused_with_its_path(
    model: type[BaseModel], message: str
) -> None:
    with pytest.raises(UntranslatableError, match=re.escape(message)):
        structural_schema(model)


@given(NAMES, NAMES, NAMES, st.integers(1, 999), st.integers(1, 999))
def test_name_of_any_child_is_a_dns_label_of_at_most_52_characters(
    run_uid: str, stage: str, action: str, attempt: int, number: int
) -> None:
    """CVE-2026-33022: a legal name of any length gives a legal child name."""
    name = job_name(run_uid, stage, action, attempt, number)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name)
    assert len(name) <= 52


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_hashes_of_different_parts_differ(one: list[str], other: list[str]) -> None:
    assert (hash_of(*one) == hash_of(*other)) == (one == other)


def test_readable_part_of_a_name_survives() -> None:
    assert slug_of("My_Deploy.Action@Prod") == "my-deploy-action-prod"
    assert child_name("___", "x").startswith("x-")


NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CONDITIONS = {
    RunState.IN_PROGRESS: {"Succeeded": "Unknown", "Ready": "False", "Reconciling": "True"},
    RunState.STOPPING: {"Succeeded": "Unknown", "Ready": "False", "Reconciling": "True"},
    RunState.SUCCEEDED: {"Succeeded": "True", "Ready": "True"},
    RunState.FAILED: {"Succeeded": "False", "Ready": "False", "Stalled": "True"},
    RunState.STOPPED: {"Succeeded": "False", "Ready": "False", "Stalled": "True"},
    RunState.SUPERSEDED: {"Succeeded": "False", "Ready": "True"},
    RunState.CANCELLED: {"Succeeded": "False", "Ready": "False", "Stalled": "True"},
}


@pytest.mark.parametrize("state", CONDITIONS)
def test_conditions_of_a_run_are_those_of_the_designs_table(state: RunState) -> None:
    status = with_conditions(
        PipelineRunStatus(state=state), generation=3, now=NOW, reason="R", message="m"
    )
    assert {condition.type: condition.status for condition in status.conditions} == CONDITIONS[
        state
    ]
    assert {condition.observed_generation for condition in status.conditions} == {3}


def test_transition_time_changes_with_the_status_only() -> None:
    old = Condition(type="Ready", status="True", reason="A", last_transition_time="then")
    same = merge((old,), (Condition(type="Ready", status="True", reason="B"),), NOW)
    changed = merge((old,), (Condition(type="Ready", status="False", reason="B"),), NOW)

    assert [c.last_transition_time for c in same + changed] == ["then", "2026-11-21T12:00:00Z"]


def test_crds_are_valid_yaml_with_a_status_that_counts_as_unseen() -> None:
    for resource in RESOURCES:
        version = yaml.safe_load(render(resource))["spec"]["versions"][0]
        schema = version["schema"]["openAPIV3Schema"]
        if resource.status is None:
            assert (version["subresources"], "status" in schema["properties"]) == ({}, False)
            continue
        assert schema["properties"]["status"]["default"] == {"observedGeneration": -1}


def table_of_fields() -> dict[str, str]:
    """Return field to class from the table in crds/README.md."""
    rows = re.findall(
        r"^\| `([A-Za-z\[\].]+)` \| (acted on|without effect|refused)",
        README.read_text(),
        re.MULTILINE,
    )
    return dict(rows)


def fields_of(schema: dict[str, Any], prefix: str = "") -> set[str]:
    """Return the fields of S-02..S-04: the spec's, a stage's, an action's."""
    found = {f"{prefix}{name}" for name in schema["properties"]}
    for name in ("stages", "actions"):
        if name in schema["properties"]:
            found |= fields_of(schema["properties"][name]["items"], f"{prefix}{name}[].")
    return found


def test_every_field_of_a_pipeline_falls_in_one_of_the_three_classes() -> None:
    (pipelines,) = (resource for resource in RESOURCES if resource.plural == "pipelines")
    spec = crd_of(pipelines)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][
        "spec"
    ]
    assert set(table_of_fields()) == fields_of(spec) | {"artifactStore.encryptionKey"}


REFUSED: dict[str, Any] = {
    "triggers": {
        "triggers": [
            {
                "providerType": "CodeStarSourceConnection",
                "gitConfiguration": {"sourceActionName": "A"},
            }
        ]
    },
    "stages[].blockers": {"stage": {"blockers": [{"name": "b", "type": "Schedule"}]}},
}
ROLE = "arn:aws:iam::123456789012:role/service"
WITHOUT_EFFECT: dict[str, Any] = {
    "version": {"version": 2},
    "roleArn": {"roleArn": ROLE},
    "stages[].actions[].roleArn": {"action": {"roleArn": ROLE}},
    "stages[].actions[].region": {"action": {"region": "eu-west-1"}},
}


def findings_of(change: dict[str, Any]) -> Findings:
    action = {
        "name": "A",
        "actionTypeId": {"category": "Compute", "provider": "Commands"},
        "commands": ["true"],
        **change.get("action", {}),
    }
    stage = {"name": "S", "actions": [action], **change.get("stage", {})}
    spec = {key: value for key, value in change.items() if key not in ("action", "stage")}
    return validate(
        PipelineSpec.model_validate({"stages": [stage], **spec}), has_default_store=True
    )


@pytest.mark.parametrize(
    "field", [name for name, kind in table_of_fields().items() if kind == "refused"]
)
def test_field_that_the_table_calls_refused_is_refused(field: str) -> None:
    (problem,) = findings_of(REFUSED[field]).problems
    assert (problem.path.replace("[0]", "[]"), problem.reason) == (
        f"spec.{field}",
        "UnsupportedField",
    )


@pytest.mark.parametrize(
    "field", [name for name, kind in table_of_fields().items() if kind == "without effect"]
)
def test_field_that_the_table_calls_without_effect_is_named_as_such(field: str) -> None:
    found = findings_of(WITHOUT_EFFECT[field])
    assert found.problems == ()
    assert [problem.path.replace("[0]", "[]") for problem in found.warnings] == [f"spec.{field}"]
