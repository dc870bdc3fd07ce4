"""``requestedBy`` is who asks: a run's creation and what is asked of it
later, at the real API server.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.approvals import OPERATOR, TRIGGERS, acting_as, let_edit
from tests.support.kube import Document, Kube, KubeError


@pytest.fixture(autouse=True)
def _people(kube: Kube, namespace: str) -> None:
    let_edit(kube, namespace, "alice", "mallory", OPERATOR)


def run(name: str = "r", **spec: Any) -> Document:
    spec = {"pipelineRef": {"name": "absent"}, **spec}
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "PipelineRun",
        "metadata": {"name": name},
        "spec": spec,
    }


def test_run_is_started_in_ones_own_name_or_in_none(kube: Kube, namespace: str) -> None:
    alice = acting_as(kube, "alice")
    with pytest.raises(
        KubeError, match=r"spec\.requestedBy must be your own name, alice, or be left out"
    ):
        alice.create("pipelineruns", namespace, run(requestedBy="bob"))
    alice.create("pipelineruns", namespace, run("own", requestedBy="alice"))
    alice.create("pipelineruns", namespace, run("unknown"))


@pytest.mark.parametrize("user", [OPERATOR, TRIGGERS])
def test_operator_and_triggers_start_runs_for_others(kube: Kube, namespace: str, user: str) -> None:
    trigger = {"triggerType": "Webhook", "triggerDetail": "pushed by bob"}
    acting_as(kube, user).create("pipelineruns", namespace, run(requestedBy="bob", trigger=trigger))


@pytest.mark.parametrize(
    "kind", ["StartPipelineExecution", "ManualRollback", "PollForSourceChanges", "Webhook"]
)
def test_only_triggers_start_runs_in_the_name_of_a_trigger(
    kube: Kube, namespace: str, kind: str
) -> None:
    """X-07: whoever could claim a trigger could hide that they started the run."""
    alice, wanted = acting_as(kube, "alice"), run(trigger={"triggerType": kind})
    if kind in ("StartPipelineExecution", "ManualRollback"):
        alice.create("pipelineruns", namespace, wanted)
    else:
        with pytest.raises(KubeError, match="all others are for triggers"):
            alice.create("pipelineruns", namespace, wanted)


def test_stop_is_asked_for_in_ones_own_name_or_in_none(kube: Kube, namespace: str) -> None:
    kube.create("pipelineruns", namespace, run())
    alice, mallory = acting_as(kube, "alice"), acting_as(kube, "mallory")
    with pytest.raises(KubeError, match=r"spec\.stop\.requestedBy must be your own name, mallory"):
        mallory.patch("pipelineruns", namespace, "r", {"spec": {"stop": {"requestedBy": "alice"}}})
    alice.patch("pipelineruns", namespace, "r", {"spec": {"stop": {"requestedBy": "alice"}}})
    with pytest.raises(KubeError, match=r"spec\.stop\.requestedBy must be your own name, mallory"):
        mallory.patch("pipelineruns", namespace, "r", {"spec": {"stop": {"abandon": True}}})
    mallory.patch(
        "pipelineruns",
        namespace,
        "r",
        {"spec": {"stop": {"abandon": True, "requestedBy": "mallory"}}},
    )
    labelled = alice.patch("pipelineruns", namespace, "r", {"metadata": {"labels": {"team": "a"}}})
    assert labelled["spec"]["stop"]["requestedBy"] == "mallory", (
        "what others asked for does not hinder other changes"
    )


@pytest.mark.parametrize(
    ("field", "request_"),
    [
        ("retries", {"stageName": "Build"}),
        ("overrides", {"stageName": "Build", "conditionType": "BEFORE_ENTRY"}),
    ],
    ids=["retries", "overrides"],
)
def test_retry_and_override_are_asked_for_in_ones_own_name_or_in_none(
    kube: Kube, namespace: str, field: str, request_: Document
) -> None:
    kube.create("pipelineruns", namespace, run())
    alice, mallory = acting_as(kube, "alice"), acting_as(kube, "mallory")
    asked: list[Document] = [{**request_, "requestedBy": "alice"}]
    with pytest.raises(
        KubeError, match=rf"spec\.{field}: requestedBy must be your own name, mallory"
    ):
        mallory.patch("pipelineruns", namespace, "r", {"spec": {field: asked}})
    alice.patch("pipelineruns", namespace, "r", {"spec": {field: asked}})
    asked += [{**request_, "requestedBy": "mallory"}, request_]
    mallory.patch("pipelineruns", namespace, "r", {"spec": {field: asked}})


def transition(**spec: Any) -> Document:
    wanted = {
        "pipelineName": "web",
        "stageName": "Prod",
        "enabled": False,
        "reason": "incident",
        **spec,
    }
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "StageTransition",
        "metadata": {"name": "t"},
        "spec": wanted,
    }


def test_transition_is_switched_in_ones_own_name_or_in_none(kube: Kube, namespace: str) -> None:
    alice, mallory = acting_as(kube, "alice"), acting_as(kube, "mallory")
    with pytest.raises(KubeError, match=r"spec\.requestedBy must be your own name, mallory"):
        mallory.create("stagetransitions", namespace, transition(requestedBy="alice"))
    alice.create("stagetransitions", namespace, transition(requestedBy="alice"))
    with pytest.raises(
        KubeError, match=r"spec\.requestedBy must be the name of who changes the rest, mallory"
    ):
        mallory.patch("stagetransitions", namespace, "t", {"spec": {"enabled": True}})
    mallory.patch("stagetransitions", namespace, "t", {"metadata": {"labels": {"team": "a"}}})
    mallory.patch(
        "stagetransitions", namespace, "t", {"spec": {"enabled": True, "requestedBy": "mallory"}}
    )
    changed = alice.patch(
        "stagetransitions", namespace, "t", {"spec": {"enabled": False, "requestedBy": None}}
    )
    assert "requestedBy" not in changed["spec"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stageName": "Build"}, "cannot be changed: write another object"),
        ({"pipelineName": "other"}, "cannot be changed: write another object"),
        ({"reason": None}, "a disabled transition needs a reason"),
        ({"reason": "x" * 301}, "may not be more than 300"),
        ({"transitionType": "Sideways"}, "Unsupported value"),
    ],
    ids=str,
)
def test_transition_that_says_something_wrong_is_refused(
    kube: Kube, namespace: str, change: Document, message: str
) -> None:
    kube.create("stagetransitions", namespace, transition())
    with pytest.raises(KubeError, match=message):
        kube.patch("stagetransitions", namespace, "t", {"spec": change})


def test_oracle_o_52_same_client_token_twice_is_one_execution(kube: Kube, namespace: str) -> None:
    """N-17: the token is the run's name, so that a start can be repeated."""
    alice = acting_as(kube, "alice")
    alice.create("pipelineruns", namespace, run("release-7f3a"))
    with pytest.raises(KubeError, match='"release-7f3a" already exists'):
        alice.create("pipelineruns", namespace, run("release-7f3a"))
    assert len(kube.objects("pipelineruns", namespace)) == 1
