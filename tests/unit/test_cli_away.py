"""What the exit code says while the API server is away, of requests that are
refused, and of waits in vain (8, 17).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.command import (
    GROUP,
    Command,
    action,
    approval,
    kubeconfig,
    pipeline,
    row,
    run,
    stage,
    transition,
)
from tests.support.fake_api import Answer, Document, Seen

RUN = f"{GROUP}/pipelineruns/run"
RUNS = f"{GROUP}/pipelineruns"
AWAY: Answer = (503, {"kind": "Status", "message": "apiserver not ready"})


def in_turn(penstock: Command, path: str, *answers: Answer) -> None:
    """Answer a path by these, one after the other; the last one stays."""
    rest = list(answers)
    penstock.api.answers["GET", path] = lambda _: rest.pop(0) if len(rest) > 1 else rest[0]


def shown(state: str) -> Answer:
    return 200, run(
        "run",
        state,
        stage("Build", action("Make", row("InProgress" if state == "InProgress" else state))),
    )


def test_first_hour_08_watch_goes_on_while_the_api_server_is_away(penstock: Command) -> None:
    penstock.patch.setattr("penstock.cli.watching._PAUSE_S", 0.01)
    in_turn(
        penstock,
        RUN,
        shown("InProgress"),
        AWAY,
        AWAY,
        AWAY,
        shown("InProgress"),
        shown("Succeeded"),
    )
    code, out, err = penstock("watch", "run")
    assert (code, "Build/Make: Succeeded" in out) == (0, True), out
    assert err.splitlines() == [
        "penstock: apiserver not ready; trying again until --timeout",
        "penstock: the API server answers again",
    ]


def test_first_hour_08_start_and_watch_of_a_server_that_refuses_connections_is_4(
    penstock: Command,
) -> None:
    """It starts the run, and then nobody listens any more."""
    penstock.patch.setattr("penstock.cli.watching._PAUSE_S", 0.01)
    penstock.have("pipelines", pipeline())
    penstock.api.answers["POST", RUNS] = 201, run("run", "")
    penstock.api.answers["GET", RUN] = AWAY
    code, out, err = penstock("start", "web", "--watch", "--timeout", "0.2")
    assert (code, out) == (4, "run\n")
    assert (
        err.splitlines()[-1]
        == "penstock: gave up after 0.2 s: run run has not ended as far as is known"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("watch", "run", "--timeout", "0.1"),
        ("runs",),
        ("describe", "run"),
        ("logs", "run"),
        ("logs", "run", "-f", "--timeout", "0.1"),
        ("start", "web"),
        ("stop", "run"),
        ("retry", "run", "Build"),
        ("approve", "run"),
        ("transition", "enable", "web", "Build"),
    ],
)
@pytest.mark.parametrize("status", [0, 429, 500, 502, 503, 504])
def test_first_hour_08_server_that_does_not_answer_is_never_a_failed_run(
    penstock: Command, arguments: tuple[str, ...], status: int
) -> None:
    if status:
        for path in ("pipelineruns/run", "pipelines/web", "pipelineruns", "pipelines", "approvals"):
            penstock.api.answers["GET", f"{GROUP}/{path}"] = (
                status,
                {"kind": "Status", "message": "not now"},
            )
    else:
        file = Path(os.environ["KUBECONFIG"])
        file.write_text(json.dumps(kubeconfig("http://127.0.0.1:1")))
    code, _, err = penstock(*arguments)
    assert code == 4, err
    assert "not now" in err or "does not answer" in err


EVENTS: list[Answer] = [
    (410, {"kind": "Status", "message": "too old resource version"}),
    (200, b'{"type": "ERROR", "object": {"code": 410}}\n'),
    (200, b'{"type": "MODIFIED", "object": {"kind'),
    (200, [b'{"type": "MODI']),
]


@pytest.mark.parametrize("answer", EVENTS, ids=["410", "ERROR", "half", "broken off"])
def test_first_hour_08_watch_that_cannot_go_on_begins_anew(
    penstock: Command, answer: Answer
) -> None:
    penstock.patch.setattr("penstock.cli.watching._PAUSE_S", 0.01)
    in_turn(penstock, RUN, shown("InProgress"), shown("Succeeded"))
    penstock.api.answers["GET", RUNS] = answer
    assert penstock("watch", "run")[0] == 0


def test_run_that_is_deleted_while_it_is_watched_is_no_failed_one(penstock: Command) -> None:
    penstock.patch.setattr("penstock.cli.watching._PAUSE_S", 0.01)
    gone: Answer = (404, {"kind": "Status", "message": "not found"})
    in_turn(penstock, RUN, shown("InProgress"), gone)
    code, _, err = penstock("watch", "run")
    assert (code, err) == (3, "penstock: run run was deleted\n")


def test_what_is_deleted_while_it_is_waited_for_ended_otherwise(penstock: Command) -> None:
    penstock.have("approvals", approval("ok-1", "Ok"))

    def decided(_: Seen) -> Answer:
        penstock.have("approvals")
        return 200, approval("ok-1", "Ok")

    penstock.api.answers["PATCH", f"{GROUP}/approvals/ok-1"] = decided
    code, _, err = penstock("approve", "run", "--wait", "--timeout", "5")
    assert (code, err) == (3, "penstock: approval ok-1 was deleted\n")


@pytest.mark.parametrize(
    ("becomes", "code"),
    [("Stopped", 0), ("Succeeded", 3), ("Failed", 3), ("Cancelled", 3), (None, 3)],
)
def test_stop_and_wait_tells_whether_the_run_was_stopped(
    penstock: Command, becomes: str | None, code: int
) -> None:
    penstock.patch.setattr("penstock.cli.watching._PAUSE_S", 0.01)
    gone: Answer = (404, {"kind": "Status", "message": "not found"})
    in_turn(
        penstock, RUN, shown("InProgress"), shown("InProgress"), ended(becomes) if becomes else gone
    )
    penstock.api.answers["PATCH", RUN] = shown("InProgress")
    assert penstock("stop", "run", "--wait", "--timeout", "5")[0] == code


def ended(state: str) -> Answer:
    return 200, run("run", state)


def test_run_that_is_not_there_is_refused_at_once(penstock: Command) -> None:
    code, _, err = penstock("watch", "run")
    assert (code, err) == (1, "penstock: run not found\n")


def test_watch_asks_the_server_for_no_longer_than_it_waits(penstock: Command) -> None:
    penstock.api.answers["GET", RUN] = shown("InProgress")
    code, _, err = penstock("watch", "run", "--timeout", "0.3")
    assert (code, "gave up after 0.3 s: run run" in err) == (4, True)
    watches = [seen for seen in penstock.api.seen if seen.query.get("watch")]
    assert {seen.query["timeoutSeconds"][0] for seen in watches} == {"1"}


def stages() -> tuple[Document, Document]:
    return stage("Build", action("Make", row("Failed")), status="Failed"), pipeline(
        "web", "Build", "Prod"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("retry", "run", "Biuld"),
            'StageNotFound: run run has no stage "Biuld"; did you mean "Build"?',
        ),
        (
            ("retry", "run", "Nope"),
            'StageNotFound: run run has no stage "Nope"; there is Build, Prod',
        ),
        (("override", "run", "Biuld", "--condition", "ON_SUCCESS"), 'did you mean "Build"?'),
        (
            ("rollback", "web", "Biuld", "--to", "run"),
            'pipeline web has no stage "Biuld"; did you mean "Build"?',
        ),
        (("rollback", "web", "Build", "--to", "rnu"), 'did you mean "run"?'),
        (("transition", "enable", "web", "Biuld"), 'did you mean "Build"?'),
        (("transition", "disable", "web", "Biuld", "--reason", "x"), 'did you mean "Build"?'),
    ],
)
def test_first_hour_17_stage_that_is_not_there_is_refused_before_anything_is_asked(
    penstock: Command, arguments: tuple[str, ...], said: str
) -> None:
    failed, web = stages()
    penstock.have("pipelineruns", run("run", "Failed", failed))
    penstock.have("pipelines", web)
    code, out, err = penstock(*arguments)
    assert (code, out, said in err) == (1, "", True), err
    assert not penstock.written()


def written(seen: Seen) -> Answer:
    """Answer a patch of a run's list by the run with the entry in it."""
    added = seen.body[-1]
    failed, _ = stages()
    found = run("run", "Failed", failed)
    found["spec"][added["path"].split("/")[2]] = (
        [added["value"]] if added["path"].endswith("-") else added["value"]
    )
    return 200, found


def test_first_hour_17_waits_in_vain_say_what_they_waited_for(penstock: Command) -> None:
    failed, web = stages()
    penstock.have("pipelineruns", run("run", "Failed", failed))
    penstock.have("pipelines", web)
    penstock.have("approvals", approval("ok-1", "Ok"))
    penstock.api.answers["PATCH", RUN] = written
    penstock.api.answers["PATCH", f"{GROUP}/approvals/ok-1"] = 200, approval("ok-1", "Ok")
    made = transition("web-x", "Build")
    penstock.api.answers["POST", f"{GROUP}/stagetransitions"] = 201, made
    waits = {
        ("retry", "run", "Build"): "the operator has not answered what was asked of run run",
        ("approve", "run"): "approval ok-1 is pending: others must decide, too",
        (
            "transition",
            "disable",
            "web",
            "Build",
            "--reason",
            "x",
        ): "does not show Build as disabled",
    }
    for arguments, said in waits.items():
        code, _, err = penstock(*arguments, "--wait", "--timeout", "0")
        assert (code, said in err, "gave up after 0 s" in err) == (4, True, True), err
    (asked,) = [seen for seen in penstock.written() if seen.path == RUN]
    assert asked.body[-1]["value"] == [
        {"requestedBy": "carol", "stageName": "Build", "retryMode": "FAILED_ACTIONS"}
    ]
    assert asked.query["fieldManager"] == ["penstock-cli"]
    assert asked.header("User-Agent") == ["penstock-cli"]


def test_queued_run_is_shown_as_queued_and_one_that_nobody_saw_as_pending(
    penstock: Command,
) -> None:
    queued = {
        "type": "Succeeded",
        "status": "Unknown",
        "reason": "Queued",
        "message": "3 runs are under way",
    }
    penstock.have("pipelineruns", run("one", "", conditions=[queued]), run("two", ""))
    lines = penstock("runs")[1].splitlines()
    assert ["Queued" in lines[1], "Pending" in lines[2]] == [True, True], json.dumps(lines)


def test_object_of_another_version_is_told_and_not_guessed_at(penstock: Command) -> None:
    penstock.have("pipelineruns", run("run", "Sleeping"))
    code, out, err = penstock("describe", "run")
    assert (code, out) == (1, "")
    assert err.startswith(
        "penstock: Run run is not as this version of penstock knows it: status.state: "
    )
