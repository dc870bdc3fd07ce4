"""What `penstock` makes of its options before it asks the API server; the
rest is tried on a cluster.
"""

from __future__ import annotations

import pytest
import typer
from rich.console import Console

from penstock.cli.commands import start, transition
from penstock.cli.commands.approve import find_approval
from penstock.cli.connection.objects import Approval, CliError, Pipeline, Run, Transition, read
from penstock.cli.render import run_tree
from tests.support import command


def approval(
    action: str, state: str = "Pending", run: str = "run", created: str = "2026-11-21"
) -> Approval:
    return read(Approval, command.approval(f"{action.lower()}-1", action, state, run, created))


@pytest.mark.parametrize(
    ("target", "action"),
    [("run", None), ("ok-1", None), ("run", "Ok"), ("run", "Prod/Ok"), ("ok-1", "Prod/Ok")],
)
def test_pending_approval_is_found_by_run_by_name_and_by_action(
    target: str, action: str | None
) -> None:
    found = find_approval(
        [approval("Old", "Approved"), approval("Ok"), approval("Else", run="other")], target, action
    )
    assert found.metadata.name == "ok-1"


@pytest.mark.parametrize(
    ("approvals", "message"),
    [
        ([], "ActionNotFound: there is no approval for run"),
        ([approval("Ok", "Rejected")], "ApprovalAlreadyCompleted: Prod/Ok of run is Rejected"),
        (
            [approval("A"), approval("B")],
            "run waits for 2 approvals; name one with --action: Prod/A, Prod/B",
        ),
        (
            [approval("A", "Expired", created="2026-11-20"), approval("B", "Approved")],
            "ApprovalAlreadyCompleted: Prod/B of run is Approved",
        ),
    ],
)
def test_approval_that_is_not_there_is_told_with_codepipelines_names(
    approvals: list[Approval], message: str
) -> None:
    with pytest.raises(CliError) as raised:
        find_approval(approvals, "run", None)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("given", "revision"),
    [
        ("Fetch=abc", ("COMMIT_ID", "abc")),
        ("Fetch=a=b", ("COMMIT_ID", "a=b")),
        ("Get=S3_OBJECT_KEY=releases/app.zip", ("S3_OBJECT_KEY", "releases/app.zip")),
        ("Get=S3_OBJECT_VERSION_ID=x=y", ("S3_OBJECT_VERSION_ID", "x=y")),
    ],
)
def test_revision_is_a_commit_unless_its_type_is_given(
    given: str, revision: tuple[str, str]
) -> None:
    (found,) = start._revisions([given])
    assert (found["revisionType"], found["revisionValue"]) == revision


def test_revision_without_an_action_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="is not NAME=VALUE"):
        list(start._revisions(["abc"]))


def switch(stage: str, *, enabled: bool = False, pipeline: str = "web", **more: str) -> Transition:
    return read(
        Transition,
        command.transition(
            f"{stage}-{len(more)}", stage, enabled=enabled, pipeline=pipeline, **more
        ),
    )


def test_enabling_a_stage_finds_every_switch_that_disables_it() -> None:
    pipeline = read(Pipeline, command.pipeline("web", "Build", "Prod"))
    disabling = [switch("Prod"), switch("Build", transitionType="Outbound")]
    others = [switch("Prod", enabled=True), switch("Prod", pipeline="api"), switch("Build")]
    assert list(transition._disabling([*others, *disabling], pipeline, "Prod")) == disabling
    assert list(transition._disabling([*others, *disabling], pipeline, "Build")) == [others[2]]


def test_run_that_waits_shows_for_which_approval() -> None:
    row = command.row("InProgress", approval={"name": "ok-1", "specHash": "h"})
    run = command.run(
        "run", "InProgress", command.stage("Prod", command.action("Ok", row), status="InProgress")
    )
    console = Console(width=120)
    with console.capture() as captured:
        console.print(run_tree(read(Run, run), None))
    assert "waits for approval ok-1" in captured.get()
