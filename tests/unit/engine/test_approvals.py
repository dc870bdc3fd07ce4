"""Manual approvals (P-60..P-62, T-05, X-27): what people decide, and what becomes of the run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.api.kinds.approval import ApprovalState
from penstock.api.kinds.pipeline import PipelineSpec
from penstock.api.status.executions import ActionExecution
from penstock.engine.commands import CloseApproval, CreateApproval, CreateJob, EmitEvent, Plan
from tests.unit.engine.simulation import World, approval_action, commands_action, stage


def asking(*, run: dict[str, Any] | None = None, mode: str = "SUPERSEDED", **action: Any) -> World:
    """Return a world whose run-1 has built and waits for the approval Ok in
    Prod; Ship is to follow.
    """
    prod = stage("Prod", approval_action(**action), commands_action("Ship", runOrder=2))
    world = World.of(stage("Build", commands_action("Make")), prod, executionMode=mode)
    world.start(**(run or {}))
    world.settle()
    world.succeed(world.job_for("Make"))
    world.settle()
    return world


def approvers(*users: str, **more: str) -> dict[str, str]:
    return {"ApproverUsers": ",".join(users), **more}


def row(world: World, run: str = "run-1") -> ActionExecution:
    found = world.execution("Ok", run)
    assert found is not None
    return found


def stage_status(world: World, name: str, run: str = "run-1") -> str | None:
    return next(
        (s.status.value for s in world.status(run).stage_states if s.stage_name == name), None
    )


def events(world: World) -> list[tuple[str, str]]:
    return [(c.reason, c.message) for c in world.history if isinstance(c, EmitEvent)]


def test_p_61_approval_in_progress_shows_its_token_and_what_it_waits_for() -> None:
    link = "https://ci/#{codepipeline.PipelineExecutionId}"
    world = asking(
        configuration={
            "CustomData": "Ship #{codepipeline.PipelineExecutionId}?",
            "ExternalEntityLink": link,
        }
    )
    approval = world.approval_of()

    assert approval.spec is not None
    assert (row(world).status, row(world).token) == ("InProgress", approval.spec.token)
    assert (row(world).job_name, "jobName" in row(world).to_dict()) == ("", False)
    assert (approval.spec.custom_data, approval.spec.external_entity_link) == (
        "Ship uid-run-1?",
        "https://ci/uid-run-1",
    )
    assert (approval.status.state, approval.status.approvals) == ("Pending", "0/1")
    assert world.reason() == "WaitingForApproval"
    assert world.status().status_summary == f"Prod: Ok waits for approval {approval.name}"
    assert not [
        c
        for c in world.history
        if isinstance(c, CreateJob) and "ok" in c.manifest["metadata"]["name"][:3]
    ]
    assert [note for reason, note in events(world) if reason == "ApprovalNeeded"] == [
        f"Prod/Ok: waits for approval {approval.name}: Ship uid-run-1?"
    ]


def test_p_62_approved_action_succeeds_and_the_next_group_starts() -> None:
    world = asking()
    world.decide("alice", "Approved", "looks good")
    world.settle()

    assert (row(world).status, row(world).last_updated_by, row(world).summary) == (
        "Succeeded",
        "alice",
        "looks good",
    )
    assert row(world).token is None, "the token is shown while the approval is pending"
    assert world.approval_of().status.state == "Approved"
    world.succeed(world.job_for("Ship"))
    world.settle()
    assert world.status().state == "Succeeded"


def test_p_62_rejected_action_fails_with_the_rejecters_words() -> None:
    world = asking()
    world.decide("bob", "Rejected", "not on\na Friday")
    world.settle()

    assert world.status().state == "Failed"
    assert world.reason() == "Rejected"
    assert world.status().status_summary == "Prod/Ok: rejected by bob: not on\\na Friday"
    assert (row(world).status, row(world).last_updated_by, row(world).summary) == (
        "Failed",
        "bob",
        "not on\na Friday",
    )
    assert world.approval_of().status.state == "Rejected"
    assert world.execution("Ship") is None


def test_oracle_o_06_approval_that_nobody_answers_in_time_fails_and_frees_the_stage() -> None:
    world = asking(mode="QUEUED", timeoutInMinutes=5)
    world.start("run-2")
    world.settle()
    world.succeed(world.job_for("Make", "run-2"))
    world.settle()
    world.advance(299)
    assert world.settle().is_empty
    assert world.plan().look_again is not None
    world.advance(1)
    world.settle()

    assert (world.status().state, world.reason(), stage_status(world, "Prod")) == (
        "Failed",
        "TimedOut",
        "Failed",
    )
    assert world.approval_of().status.state == "Expired"
    assert stage_status(world, "Prod", "run-2") == "InProgress"


def test_t_05_approval_waits_seven_days_unless_the_action_says_otherwise() -> None:
    world = asking()
    world.advance(7 * 86_400 - 1)
    world.settle()
    assert row(world).status == "InProgress"
    world.advance(1)
    world.settle()
    assert world.reason() == "TimedOut"


def test_decision_that_is_seen_after_the_expiry_comes_too_late() -> None:
    world = asking(timeoutInMinutes=5)
    world.decide("alice", "Approved")
    world.advance(300)
    world.settle()
    assert (world.reason(), world.approval_of().status.state) == ("TimedOut", "Expired")


def test_oracle_o_05_pending_approval_keeps_the_stage_and_the_newest_run_enters_after_it() -> None:
    """X-27, X-35: A waits on approval; B and C arrive; B is superseded; after A, C enters."""
    world = asking()
    for name in ("run-2", "run-3"):
        world.start(name)
        world.settle()
        world.succeed(world.job_for("Make", name))
        world.settle()
    assert [stage_status(world, "Prod", name) for name in world.runs] == ["InProgress", None, None]
    assert world.status("run-2").state == "Superseded"
    world.decide("alice", "Approved")
    world.settle()
    assert stage_status(world, "Prod", "run-3") is None
    world.succeed(world.job_for("Ship"))
    world.settle()
    assert stage_status(world, "Prod", "run-3") == "InProgress"


def test_quorum_is_met_by_as_many_people_as_it_asks_for() -> None:
    world = asking(configuration=approvers("alice", "bob", "carol", Quorum="2"))
    world.decide("alice", "Approved", "fine")
    world.settle()
    assert (row(world).status, world.approval_of().status.approvals) == ("InProgress", "1/2")
    world.decide("carol", "Approved", "good")
    world.settle()
    assert (row(world).status, row(world).summary) == ("Succeeded", "alice: fine; carol: good")
    assert world.approval_of().status.approvals == "2/2"


def test_one_rejection_rejects_whatever_others_approved() -> None:
    world = asking(configuration=approvers("alice", "bob", Quorum="2"))
    world.decide("alice", "Approved")
    world.decide("bob", "Rejected")
    world.settle()
    assert world.reason() == "Rejected"


def test_decision_of_somebody_who_is_not_named_counts_for_nothing() -> None:
    """The admission policy refuses it; should it come through all the same, nothing follows."""
    world = asking(configuration=approvers("alice"))
    world.decide("mallory", "Approved")
    world.settle()
    assert row(world).status == "InProgress"


def test_who_started_the_run_may_be_excluded() -> None:
    configuration = {"ExcludeStarter": "true"}
    world = asking(run={"requestedBy": "alice"}, configuration=configuration)
    approval = world.approval_of()
    assert approval.spec is not None
    assert approval.spec.excluded_users == ("alice",)
    world.decide("alice", "Approved")
    world.settle()
    assert row(world).status == "InProgress"


def test_approval_that_nobody_is_left_to_give_fails_at_once() -> None:
    world = asking(
        run={"requestedBy": "alice"},
        configuration=approvers("alice", "bob", Quorum="2", ExcludeStarter="true"),
    )
    assert (world.reason(), world.approvals) == ("NoApproverLeft", {})
    assert world.status().status_summary == (
        "Prod/Ok: configuration.ExcludeStarter: without alice, who started the run, ApproverUsers "
        "names 1, and 2 must approve"
    )


def test_run_whose_starter_is_not_known_cannot_exclude_them() -> None:
    world = asking(configuration={"ExcludeStarter": "true"})
    assert world.reason() == "StarterUnknown"
    assert "spec.requestedBy" in (world.status().status_summary or "")
    assert not world.approvals


def test_run_that_a_trigger_started_has_no_starter_to_exclude() -> None:
    trigger = {"triggerType": "PollForSourceChanges"}
    world = asking(run={"trigger": trigger}, configuration={"ExcludeStarter": "true"})
    assert row(world).status == "InProgress"


def test_variable_without_value_fails_the_action_before_anybody_is_asked() -> None:
    make = commands_action("Make", namespace="Made", outputVariables=["TAG"])
    prod = stage("Prod", approval_action(configuration={"CustomData": "Ship #{Made.TAG}?"}))
    world = World.of(stage("Build", make), prod)
    world.start()
    world.settle()
    world.succeed(world.job_for("Make"))
    world.settle()
    assert (world.reason(), world.approvals) == ("ConfigurationError", {})


# ---- what must not be trusted


def test_approval_is_refused_while_the_admission_policy_is_missing() -> None:
    world = World.of(stage("Prod", approval_action()))
    world.is_guarded = False
    world.start()
    world.settle()
    assert world.reason() == "ApprovalPolicyMissing"
    assert not [c for c in world.history if isinstance(c, CreateApproval)]


def test_decision_does_not_count_when_the_admission_policy_is_gone() -> None:
    world = asking()
    world.is_guarded = False
    world.decide("mallory", "Approved")
    world.settle()
    assert world.reason() == "ApprovalPolicyMissing"
    assert world.execution("Ship") is None
    assert world.approval_of().status.state == "Abandoned"


@pytest.mark.parametrize(
    "change",
    [{"uid": "another"}, {"spec_hash": "another"}, {"owner_uid": "another"}, {"spec": None}],
    ids=str,
)
def test_approval_that_is_not_as_it_was_created_counts_for_nothing(change: dict[str, Any]) -> None:
    world = asking()
    world.decide("mallory", "Approved")
    approval = world.approval_of()
    world.approvals[approval.name] = replace(approval, **change)
    world.settle()
    assert world.reason() == "ApprovalChanged"
    assert world.execution("Ship") is None


def test_approval_that_is_deleted_before_the_decision_is_rejected() -> None:
    world = asking()
    name = world.approval_of().name
    world.delete_approval()
    assert world.plan().approvals_to_confirm == {name}, "absence is never evidence"
    world.settle()
    assert world.reason() == "Rejected"
    assert (
        world.status().status_summary
        == f"Prod/Ok: the Approval {name} was deleted before the decision"
    )


# ---- crashes, stopping, endings


def test_approval_that_was_not_created_when_the_operator_died_is_created_afterwards() -> None:
    world = World.of(stage("Prod", approval_action()))
    world.start()
    while not (plan := world.plan()).run_statuses:
        world.guarded |= dict.fromkeys(plan.approvals_to_confirm, True)
    world.guarded = dict.fromkeys(plan.approvals_to_confirm, True)
    world.apply(Plan(revisions=world.plan().revisions, run_statuses=world.plan().run_statuses))
    assert not world.approvals
    world.settle()
    assert world.approval_of().status.state == "Pending"


def test_decision_that_was_recorded_when_the_operator_died_stands() -> None:
    """Approved is final in the Approval: neither the expiry nor a missing
    policy changes it afterwards.
    """
    world = asking(timeoutInMinutes=5)
    world.decide("alice", "Approved", "fine")
    world.guarded = {world.approval_of().name: True}
    world.apply(Plan(approval_statuses=world.plan().approval_statuses))
    world.guarded = {}
    assert (row(world).status, world.approval_of().status.state) == ("InProgress", "Approved")
    world.advance(600)
    world.is_guarded = False
    world.settle()
    assert (row(world).status, row(world).last_updated_by, row(world).summary) == (
        "Succeeded",
        "alice",
        "fine",
    )


def test_run_that_is_stopped_by_waiting_waits_for_the_decision() -> None:
    world = asking()
    world.stop()
    world.settle()
    assert world.status().state == "Stopping"
    world.decide("alice", "Approved")
    world.settle()
    assert (world.status().state, row(world).status) == ("Stopped", "Succeeded")
    assert world.execution("Ship") is None


def test_run_that_is_abandoned_closes_its_approval() -> None:
    world = asking()
    world.stop(abandon=True)
    world.settle()
    assert (world.status().state, row(world).status) == ("Stopped", "Abandoned")
    assert world.approval_of().status.state == "Abandoned"
    assert [c.name for c in world.history if isinstance(c, CloseApproval)] == [
        world.approval_of().name
    ]


def test_approval_of_a_pipeline_that_is_gone_is_closed() -> None:
    world = asking()
    world.pipeline, world.is_pipeline_absent = None, True
    world.settle()
    assert (world.status().state, row(world).status) == ("Cancelled", "Abandoned")
    assert world.approval_of().status.state == "Abandoned"


def test_approval_of_a_pipeline_that_is_edited_is_closed_and_what_ran_beside_it_ends_first() -> (
    None
):
    """X-40: the run is Cancelled; the group is not taken for done because its job succeeded."""
    world = World.of(stage("Prod", approval_action(), commands_action("Check")))
    world.start()
    world.settle()
    name = world.approval_of().name
    edited = {"stages": [stage("Prod", approval_action(), commands_action("Check", "false"))]}
    world.change_pipeline(spec=PipelineSpec.model_validate(edited), generation=2)
    world.settle()
    assert (world.status().state, world.approvals[name].status.state) == ("InProgress", "Abandoned")
    world.succeed(world.job_for("Check"))
    world.settle()
    assert (world.status().state, world.reason()) == ("Cancelled", "PipelineUpdated")
    assert (row(world).status, stage_status(world, "Prod")) == ("Abandoned", "Cancelled")


def test_parallel_runs_are_each_asked_about() -> None:
    """X-39: every execution has an approval of its own."""
    world = asking(mode="PARALLEL")
    world.start("run-2")
    world.settle()
    world.succeed(world.job_for("Make", "run-2"))
    world.settle()
    world.decide("alice", "Approved", run="run-2")
    world.settle()
    assert [row(world, name).status for name in ("run-1", "run-2")] == ["InProgress", "Succeeded"]


def test_approval_whose_run_is_gone_is_closed() -> None:
    world = asking()
    name = world.approval_of().name
    del world.runs["run-1"]
    world.settle()
    assert world.approvals[name].status.state == "Abandoned"


def test_retry_of_a_rejected_stage_asks_anew() -> None:
    world = asking()
    first = world.approval_of()
    world.decide("bob", "Rejected")
    world.settle()
    world.retry("Prod")
    world.settle()
    second = world.approval_of()
    assert (world.status().state, row(world).attempt, second.status.state) == (
        "InProgress",
        2,
        "Pending",
    )
    assert first.spec is not None
    assert second.spec is not None
    assert (second.name == first.name, second.spec.token == first.spec.token) == (False, False)


FATES = st.sampled_from(
    ["approve", "reject", "sleep", "delete", "unguard", "guard", "stop", "abandon", "crash"]
)


@given(st.lists(FATES, max_size=8), st.integers(1, 2))
def test_action_succeeds_only_by_a_guarded_quorum_and_the_approval_agrees_with_the_row(
    fates: list[str], quorum: int
) -> None:
    world = asking(timeoutInMinutes=5, configuration={"Quorum": str(quorum)})
    approved = 0
    for number, fate in enumerate(fates):
        is_open = row(world).status == "InProgress" and world.approvals
        if (
            fate in ("approve", "reject")
            and is_open
            and world.approval_of().status.state == "Pending"
        ):
            world.decide(f"user-{number}", "Approved" if fate == "approve" else "Rejected")
            approved += fate == "approve"
        elif fate == "sleep":
            world.advance(120)
        elif fate == "delete" and world.approvals:
            world.delete_approval()
        elif fate in ("guard", "unguard"):
            world.is_guarded = fate == "guard"
        elif fate in ("stop", "abandon") and world.status().state == "InProgress":
            world.stop(abandon=fate == "abandon")
        if fate == "crash" and not (plan := world.plan()).needs_confirmation:
            world.apply(Plan(approval_statuses=plan.approval_statuses))
            continue
        world.settle()
        assert world.plan().is_empty
    if row(world).status == "Succeeded":
        assert approved >= quorum
    for approval in world.approvals.values():
        is_over = approval.status.state != ApprovalState.PENDING
        assert is_over == (row(world).status != "InProgress")
        assert (approval.status.state == "Approved") == (row(world).status == "Succeeded")
