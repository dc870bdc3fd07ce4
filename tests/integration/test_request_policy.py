"""``requestedBy`` is who asks: a run's creation and what is asked of it later, at the real API server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.approvals import OPERATOR, TRIGGERS, acting_as, let_edit
from tests.e2e.kube import Document, Kube, KubeError


@pytest.fixture(autouse=True)
def _people(kube: Kube, namespace: str) -> None:
    let_edit(kube, namespace, "alice", "mallory", OPERATOR)


def run(name: str = "r", **spec: Any) -> Document:
    spec = {"pipelineRef": {"name": "absent"}, **spec}
    return {"apiVersion": "penstock.dev/v1alpha1", "kind": "PipelineRun", "metadata": {"name": name}, "spec": spec}


def test_run_is_started_in_ones_own_name_or_in_none(kube: Kube, namespace: str) -> None:
    alice = acting_as(kube, "alice")
    with pytest.raises(KubeError, match=r"spec\.requestedBy must be your own name, alice, or be left out"):
        alice.create("pipelineruns", namespace, run(requestedBy="bob"))
    alice.create("pipelineruns", namespace, run("own", requestedBy="alice"))
    alice.create("pipelineruns", namespace, run("unknown"))


@pytest.mark.parametrize("user", [OPERATOR, TRIGGERS])
def test_operator_and_triggers_start_runs_for_others(kube: Kube, namespace: str, user: str) -> None:
    trigger = {"triggerType": "Webhook", "triggerDetail": "pushed by bob"}
    acting_as(kube, user).create("pipelineruns", namespace, run(requestedBy="bob", trigger=trigger))


@pytest.mark.parametrize("kind", ["StartPipelineExecution", "ManualRollback", "PollForSourceChanges", "Webhook"])
def test_only_triggers_start_runs_in_the_name_of_a_trigger(kube: Kube, namespace: str, kind: str) -> None:
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
    mallory.patch("pipelineruns", namespace, "r", {"spec": {"stop": {"abandon": True, "requestedBy": "mallory"}}})
    labelled = alice.patch("pipelineruns", namespace, "r", {"metadata": {"labels": {"team": "a"}}})
    assert labelled["spec"]["stop"]["requestedBy"] == "mallory", "what others asked for does not hinder other changes"


def test_retry_is_asked_for_in_ones_own_name_or_in_none(kube: Kube, namespace: str) -> None:
    kube.create("pipelineruns", namespace, run())
    alice, mallory = acting_as(kube, "alice"), acting_as(kube, "mallory")
    asked: list[Document] = [{"stageName": "Build", "requestedBy": "alice"}]
    with pytest.raises(KubeError, match=r"spec\.retries: requestedBy must be your own name, mallory"):
        mallory.patch("pipelineruns", namespace, "r", {"spec": {"retries": asked}})
    alice.patch("pipelineruns", namespace, "r", {"spec": {"retries": asked}})
    asked.append({"stageName": "Build", "requestedBy": "mallory"})
    mallory.patch("pipelineruns", namespace, "r", {"spec": {"retries": asked}})
