"""Attacks on approvals, at the real API server with the real operator: nobody
decides for another, or twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.approvals import acting_as, approval_action, decide, let_edit, pending, unguarded
from tests.support.kube import Document, Kube, KubeError, eventually

PEOPLE = ("alice", "bob", "mallory")
NAMED = {"ApproverUsers": "alice,bob", "Quorum": "2"}

Ask = Callable[..., Document]


@pytest.fixture
def ask(kube: Kube, namespace: str) -> Ask:
    """Start a run of a pipeline that is one approval, and return the Approval
    once it is pending.
    """
    let_edit(kube, namespace, *PEOPLE)

    def start(*, run: str = "run", starter: str = "", **configuration: str) -> Document:
        start_run(kube, namespace, run, starter, **configuration)
        return pending(kube, namespace, run)

    return start


def start_run(
    kube: Kube, namespace: str, run: str = "run", starter: str = "", **configuration: str
) -> None:
    spec: Document = {
        "stages": [{"name": "Prod", "actions": [approval_action(configuration=configuration)]}]
    }
    kinds = {"apiVersion": "penstock.dev/v1alpha1", "kind": "Pipeline", "metadata": {"name": run}}
    kube.create("pipelines", namespace, {**kinds, "spec": spec})
    wanted = {"pipelineRef": {"name": run}} | ({"requestedBy": starter} if starter else {})
    body = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "PipelineRun",
        "metadata": {"name": run},
        "spec": wanted,
    }
    acting_as(kube, starter or "alice").create("pipelineruns", namespace, body)


def ended(kube: Kube, namespace: str, run: str = "run") -> Document:
    def over() -> Document | None:
        status: Document = kube.get("pipelineruns", namespace, run)["status"]
        return status if status.get("state") not in (None, "InProgress") else None

    found: Document = eventually(over, 20, f"run {run} ended")
    return found


def merge(kube: Kube, namespace: str, approval: Document, spec: Document) -> Document:
    return kube.patch("approvals", namespace, approval["metadata"]["name"], {"spec": spec})


def test_two_approvers_decide_and_the_run_succeeds(kube: Kube, namespace: str, ask: Ask) -> None:
    name = ask(**NAMED)["metadata"]["name"]
    for user in ("alice", "bob"):
        decide(acting_as(kube, user), namespace, name, "Approved", f"{user} is fine with it")
    assert ended(kube, namespace)["state"] == "Succeeded"
    status = kube.get("approvals", namespace, name)["status"]
    assert (status["state"], status["approvals"], status["lastUpdatedBy"]) == (
        "Approved",
        "2/2",
        "bob",
    )
    row = kube.get("pipelineruns", namespace, "run")["status"]["stageStates"][0]["actionStates"][0][
        "executions"
    ][0]
    assert (row["status"], row["lastUpdatedBy"]) == ("Succeeded", "bob")
    assert row["summary"] == "alice: alice is fine with it; bob: bob is fine with it"
    assert not {"token", "jobName"} & set(row)


def test_member_of_a_group_decides(kube: Kube, namespace: str, ask: Ask) -> None:
    name = ask(ApproverGroups="release")["metadata"]["name"]
    with pytest.raises(KubeError, match="bob is not among those who may decide"):
        decide(acting_as(kube, "bob", "others"), namespace, name, "Approved")
    decide(acting_as(kube, "bob", "others", "release"), namespace, name, "Approved")
    assert ended(kube, namespace)["state"] == "Succeeded"


def test_decision_in_anothers_name_is_denied(kube: Kube, namespace: str, ask: Ask) -> None:
    approval = ask(**NAMED)
    for user in ("mallory", "bob"):
        with pytest.raises(
            KubeError, match=f"user must be your own name, {user}: nobody decides for another"
        ):
            merge(
                acting_as(kube, user),
                namespace,
                approval,
                {"decisions": [{"user": "alice", "decision": "Approved"}]},
            )
    both = [{"user": "bob", "decision": "Approved"}, {"user": "alice", "decision": "Approved"}]
    with pytest.raises(KubeError, match="nobody decides for another"):
        merge(acting_as(kube, "bob"), namespace, approval, {"decisions": both})


def test_administrator_is_no_approver_by_that(kube: Kube, namespace: str, ask: Ask) -> None:
    """The kubeconfig's own user may do everything that RBAC knows; the policy asks for more."""
    with pytest.raises(KubeError, match="nobody decides for another"):
        merge(
            kube,
            namespace,
            ask(**NAMED),
            {"decisions": [{"user": "alice", "decision": "Approved"}]},
        )


def test_somebody_who_is_no_approver_is_denied(kube: Kube, namespace: str, ask: Ask) -> None:
    with pytest.raises(KubeError, match="mallory is not among those who may decide"):
        decide(acting_as(kube, "mallory"), namespace, ask(**NAMED)["metadata"]["name"], "Approved")


def test_somebody_without_the_right_to_change_approvals_is_denied(
    kube: Kube, namespace: str, ask: Ask
) -> None:
    name = ask()["metadata"]["name"]
    with pytest.raises(KubeError, match="forbidden"):
        decide(acting_as(kube, "stranger"), namespace, name, "Approved")
    let_edit(kube, namespace, "stranger", role="penstock-approver")
    decide(acting_as(kube, "stranger"), namespace, name, "Approved")
    assert ended(kube, namespace)["state"] == "Succeeded"


def test_who_started_the_run_is_denied_where_they_are_excluded(
    kube: Kube, namespace: str, ask: Ask
) -> None:
    name = ask(starter="alice", ExcludeStarter="true")["metadata"]["name"]
    with pytest.raises(KubeError, match="alice started the run and may not decide"):
        decide(acting_as(kube, "alice"), namespace, name, "Approved")
    decide(acting_as(kube, "bob"), namespace, name, "Approved")
    assert ended(kube, namespace)["state"] == "Succeeded"


@pytest.mark.parametrize(
    "decisions",
    [
        [],
        [{"user": "alice", "decision": "Rejected"}],
        [{"user": "alice", "decision": "Approved", "comment": "on second thoughts"}],
        [{"user": "bob", "decision": "Approved"}],
    ],
    ids=["withdrawn", "turned", "reworded", "replaced"],
)
def test_decision_cannot_be_changed_or_withdrawn(
    kube: Kube, namespace: str, ask: Ask, decisions: list[Document]
) -> None:
    approval = ask(**NAMED)
    decide(acting_as(kube, "alice"), namespace, approval["metadata"]["name"], "Approved")
    for user in ("alice", "bob"):
        with pytest.raises(
            KubeError, match=r"cannot be changed or withdrawn|nobody decides for another"
        ):
            merge(acting_as(kube, user), namespace, approval, {"decisions": decisions})


def test_nobody_decides_twice(kube: Kube, namespace: str, ask: Ask) -> None:
    name = ask(**NAMED)["metadata"]["name"]
    decide(acting_as(kube, "alice"), namespace, name, "Approved")
    with pytest.raises(KubeError, match="Duplicate value"):
        decide(acting_as(kube, "alice"), namespace, name, "Approved", "again")


EDITS: dict[str, Any] = {
    "approvers": {"users": ["mallory"]},
    "quorum": 1,
    "excludedUsers": ["bob"],
    "customData": "harmless",
    "externalEntityLink": "https://example.com",
    "expirationTime": "2100-01-01T00:00:00Z",
    "token": "mine",
    "pipelineName": "other",
    "pipelineExecutionId": "other",
    "run": "other",
    "stageName": "other",
    "actionName": "other",
    "attempt": 2,
}


def test_nothing_but_decisions_can_be_edited(kube: Kube, namespace: str, ask: Ask) -> None:
    approval = ask(**NAMED, CustomData="ship?")
    for user in ("alice", "mallory"):
        for field, value in EDITS.items():
            with pytest.raises(KubeError, match=r"only decisions are written|only spec\.decisions"):
                merge(acting_as(kube, user), namespace, approval, {field: value})
    assert set(EDITS) | {"decisions"} == set(approval["spec"]) | {
        "externalEntityLink",
        "excludedUsers",
        "decisions",
    }


def test_nobody_but_the_operator_creates_an_approval_or_writes_its_status(
    kube: Kube, namespace: str, ask: Ask
) -> None:
    approval = ask(**NAMED)
    forged = {**approval, "metadata": {"name": "pre-created", "namespace": namespace}}
    forged.pop("status")
    with pytest.raises(KubeError, match="created by the operator alone"):
        kube.create("approvals", namespace, forged)
    with pytest.raises(KubeError, match="forbidden"):
        acting_as(kube, "mallory").create("approvals", namespace, forged)
    name, decided = approval["metadata"]["name"], {"status": {"state": "Approved"}}
    with pytest.raises(KubeError, match="written by the operator alone"):
        kube.patch("approvals", namespace, name, decided, part="/status")
    with pytest.raises(KubeError, match="forbidden"):
        acting_as(kube, "mallory").patch("approvals", namespace, name, decided, part="/status")


def test_approval_that_is_deleted_counts_as_rejected(kube: Kube, namespace: str, ask: Ask) -> None:
    name = ask(**NAMED)["metadata"]["name"]
    acting_as(kube, "mallory").delete("approvals", namespace, name)
    status = ended(kube, namespace)
    assert (status["state"], status["statusSummary"]) == (
        "Failed",
        f"Prod/Ok: the Approval {name} was deleted before the decision",
    )
    assert not kube.objects("approvals", namespace), "it must not be created again"


def test_oracle_o_07_wrong_token_and_second_answer_are_refused(
    kube: Kube, namespace: str, ask: Ask
) -> None:
    approval = ask()
    name, alice = approval["metadata"]["name"], acting_as(kube, "alice")
    with pytest.raises(KubeError, match="InvalidApprovalToken"):
        decide(alice, namespace, name, "Approved", token="of-an-earlier-attempt")
    decide(alice, namespace, name, "Rejected", "no", token=approval["spec"]["token"])
    assert ended(kube, namespace)["state"] == "Failed"
    eventually(
        lambda: kube.get("approvals", namespace, name)["status"]["state"] == "Rejected",
        10,
        "the verdict",
    )
    with pytest.raises(KubeError, match="ApprovalAlreadyCompleted: the Approval is Rejected"):
        decide(acting_as(kube, "bob"), namespace, name, "Approved")


@pytest.mark.alone(reason="it takes the admission policy of Approvals away from the cluster")
@pytest.mark.parametrize(
    ("plural", "weaker"),
    [
        ("validatingadmissionpolicies", None),
        ("validatingadmissionpolicybindings", None),
        ("validatingadmissionpolicybindings", {"validationActions": ["Audit"]}),
    ],
    ids=["no-policy", "no-binding", "binding-that-only-tells"],
)
def test_without_policy_or_binding_approvals_are_refused_and_decisions_do_not_count(
    kube: Kube, namespace: str, ask: Ask, plural: str, weaker: Document | None
) -> None:
    approval = ask(**NAMED)
    with unguarded(kube, plural, weaker):
        both = [{"user": user, "decision": "Approved"} for user in ("alice", "bob")]
        merge(acting_as(kube, "mallory"), namespace, approval, {"decisions": both})
        assert conditions(ended(kube, namespace))["Succeeded"] == "ApprovalPolicyMissing"
        start_run(kube, namespace, "second")
        assert conditions(ended(kube, namespace, "second"))["Succeeded"] == "ApprovalPolicyMissing"
        assert len(kube.objects("approvals", namespace)) == 1
    start_run(kube, namespace, "third")
    assert pending(kube, namespace, "third")


def conditions(status: Document) -> dict[str, str]:
    return {item["type"]: item["reason"] for item in status["conditions"]}


def test_kubectl_shows_what_waits_for_whom(kube: Kube, namespace: str, ask: Ask) -> None:
    name = ask(**NAMED, CustomData="ship?")["metadata"]["name"]
    shown = kube.kubectl("-n", namespace, "get", "appr")
    head, line = shown.splitlines()
    assert head.split() == [
        "NAME",
        "PIPELINE",
        "RUN",
        "STAGE",
        "ACTION",
        "STATE",
        "APPROVALS",
        "EXPIRES",
        "SUMMARY",
    ]
    assert line.split()[:7] == [name, "run", "run", "Prod", "Ok", "Pending", "0/2"]
    assert "waiting for alice, bob, 0/2 have approved; expires at" in line
    kube.kubectl("-n", namespace, "delete", "plr", "run")
    eventually(
        lambda: not kube.objects("approvals", namespace), 30, "the Approval gone with its run"
    )


FOREIGN = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "name": "none",
    "uid": "11111111-1111-1111-1111-111111111111",
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ownerReferences": [FOREIGN]}, "metadata.ownerReferences of an Approval"),
        ({"ownerReferences": None}, "metadata.ownerReferences of an Approval"),
        ({"finalizers": ["example.com/mine"]}, "metadata.finalizers of an Approval"),
        ({"labels": {"penstock.dev/run-uid": "other"}}, "labels of penstock.dev on an Approval"),
        ({"labels": {"penstock.dev/run-uid": None}}, "labels of penstock.dev on an Approval"),
        ({"labels": {"penstock.dev/mine": "x"}}, "labels of penstock.dev on an Approval"),
    ],
)
def test_attack_09_metadata_that_says_whose_an_approval_is_cannot_be_changed(
    kube: Kube, namespace: str, ask: Ask, change: Document, words: str
) -> None:
    """An owner that does not exist lets the garbage collector delete it: rejected, by nobody."""
    name = ask(**NAMED)["metadata"]["name"]
    with pytest.raises(KubeError, match=words):
        acting_as(kube, "mallory").patch("approvals", namespace, name, {"metadata": change})
    assert kube.get("pipelineruns", namespace, "run")["status"]["state"] == "InProgress"


def test_labels_and_annotations_of_others_may_stand_on_an_approval(
    kube: Kube, namespace: str, ask: Ask
) -> None:
    name = ask(**NAMED)["metadata"]["name"]
    theirs = {"labels": {"example.com/team": "a"}, "annotations": {"example.com/note": "b"}}
    acting_as(kube, "bob").patch("approvals", namespace, name, {"metadata": theirs})
    for user in ("alice", "bob"):
        decide(acting_as(kube, user), namespace, name, "Approved")
    assert ended(kube, namespace)["state"] == "Succeeded"


def test_garbage_collector_may_still_take_an_approval_from_its_run(
    kube: Kube, namespace: str, ask: Ask
) -> None:
    name = ask(**NAMED)["metadata"]["name"]
    kube.request(
        "DELETE", kube.path("pipelineruns", namespace, "run"), {"propagationPolicy": "Orphan"}
    )
    eventually(
        lambda: kube.find("pipelineruns", namespace, "run") is None,
        20,
        "the run is gone, its Approval orphaned",
    )
    assert "ownerReferences" not in kube.get("approvals", namespace, name)["metadata"]
