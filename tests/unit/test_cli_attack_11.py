"""Attack 11: no text that others wrote steers the terminal, whichever command
prints it (attacks.md).
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cli import text
from penstock.cli.app import SafeConsole
from tests.support.command import (
    CORE,
    GROUP,
    Command,
    action,
    approval,
    pipeline,
    row,
    run,
    stage,
    transition,
)

# A title, a cleared screen, the clipboard, a link, a bell, a C1 sequence, a carriage return, a
# turned direction.
EVIL = "\x1b]0;owned\x07\x1b[2J\x1b]52;c;b3duZWQ=\x07\x1b]8;;http://evil\x1b\\x\x1b]8;;\x1b\\\x9b31m\rfake\u202eoof\x7f\x08\x00"
STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def evil_run(state: str = "Failed") -> dict[str, object]:
    """Return a run in which every text is hostile that a person, a repository
    or an action can write.
    """
    test = {"name": EVIL, "suite": EVIL, "message": EVIL}
    report = {"name": EVIL, "total": 1, "failed": 1, "failedTests": [test], "key": EVIL}
    made = row(
        "Failed", jobName="job", errorDetails={"code": EVIL, "message": EVIL}, summary=EVIL,
        entityUrl=EVIL,
        externalExecutionUrl=EVIL, outputVariables={"NAME": EVIL}, reports=[report],
        outputArtifacts=[{"name": EVIL, "size": 1, "sha256": EVIL}], podUid=EVIL, hasLog=True,
    )  # fmt: skip
    waits = row("InProgress", approval={"name": EVIL, "specHash": ""})
    reason = {"type": "Succeeded", "status": "False", "reason": EVIL, "message": EVIL}
    status: dict[str, Any] = {
        "statusSummary": EVIL,
        "variables": [{"name": "V", "resolvedValue": f"{EVIL}\nstate     Succeeded"}],
        "artifactRevisions": [
            {"name": "S", "actionName": "F", "revisionId": EVIL, "revisionSummary": EVIL}
        ],
        "conditions": [reason],
        "stopTrigger": {"time": EVIL, "reason": EVIL},
    }
    return run("run", state, stage(EVIL, action(EVIL, made), action("Ok", waits)), **status)


COMMANDS: list[tuple[tuple[str, ...], str]] = [
    (("runs",), "owned"),
    (("describe", "run"), "owned"),
    (("watch", "run"), "owned"),
    (("reports", "run"), "owned"),
    (("reports", "run", "-o", "json"), "owned"),
    (("logs", "run"), "owned"),
    (("logs", "run", "Nope"), "owned"),
    (("retry", "run", "Nope"), "owned"),
    (("override", "run", "Nope", "--condition", "ON_SUCCESS"), "owned"),
    (("stop", "run"), "has ended"),
    (("approve", "run"), "waits for 2 approvals"),
    (("reject", "run", "--action", "One"), "owned"),
    (("transition", "enable", "web", "Build"), "owned"),
    (("start", "gone"), "owned"),
    (("rollback", "gone", "S", "--to", "x"), "owned"),
    (("start", "web", "--client-request-token", "t"), "owned"),
]


@pytest.mark.parametrize(
    ("arguments", "said"),
    COMMANDS,
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "said",
)
@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
def test_attack_11_no_command_lets_a_text_steer_the_terminal(
    penstock: Command, arguments: tuple[str, ...], said: str, terminal: bool
) -> None:
    penstock.patch.setattr("penstock.cli.app.console._force_terminal", terminal)
    penstock.patch.setattr("penstock.cli.app.console._color_system", None)
    penstock.have("pipelineruns", evil_run())
    penstock.have("pipelines", pipeline("web", "Build"))
    penstock.have("approvals", approval("one", "One"), approval("two", "Two"))
    penstock.have("stagetransitions", transition("freeze", "Build", reason=EVIL))
    penstock.api.put(f"{CORE}/pods", [{"metadata": {"name": "pod"}}])
    penstock.api.answers["GET", f"{CORE}/pods/pod/log"] = (
        200,
        f"2026-11-21T12:00:00.000000000Z {EVIL}\n".encode(),
    )
    refusal = {"kind": "Status", "message": EVIL}
    penstock.api.answers["GET", f"{GROUP}/pipelines/gone"] = 404, refusal
    penstock.api.answers["POST", f"{GROUP}/pipelineruns"] = 422, refusal
    penstock.api.answers["PATCH", f"{GROUP}/approvals/one"] = 422, refusal
    code, out, err = penstock(*arguments)
    # What rich itself sends to a terminal while it draws: the cursor, its own line ends.
    drawn = re.sub(r"\x1b\[(\?25[hl]|\d*[AGK]|0m|2K)|\r(?=\x1b|\n|$)", "", out) if terminal else out
    assert not STEERING.search(drawn), ascii(drawn)
    assert not STEERING.search(err), ascii(err)
    assert said in out + err, (code, out, err)


def test_attack_11_value_of_several_lines_makes_no_line_of_its_own(penstock: Command) -> None:
    penstock.have("pipelineruns", evil_run())
    _, out, _ = penstock("describe", "run")
    assert not [line for line in out.splitlines() if line.startswith("state")]


def test_json_of_reports_is_what_it_was_when_it_is_read_again(penstock: Command) -> None:
    penstock.have("pipelineruns", evil_run())
    (report,) = json.loads(penstock("reports", "run", "-o", "json")[1])
    assert report["failedTests"] == [{"name": EVIL, "suite": EVIL, "message": EVIL}]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain\ttab", "plain\ttab"),
        ("käse 🧀 👩‍🚀", "käse 🧀 👩‍🚀"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m\x1b[0m"),
        ("windows\r", "windows"),
        ("10%\r20%", "10%\\r20%"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
    ],
)
def test_attack_11_log_keeps_its_colours_and_nothing_else(line: str, shown: str) -> None:
    assert text.log_line(line) == shown


@given(st.text(st.characters()))
def test_attack_11_whatever_the_text_nothing_that_steers_is_left(written: str) -> None:
    for shown in (
        text.visible(written),
        text.in_line(written),
        text.first_line(written),
        text.to_json([written]),
    ):
        assert not STEERING.search(shown)
    assert not STEERING.search(re.sub(r"\x1b\[[0-9;]*m", "", text.log_line(written)))
    assert "\n" not in text.in_line(written)


@given(st.text(st.characters(codec="utf-8")))
def test_attack_11_console_is_the_last_gate_for_what_a_command_forgot(written: str) -> None:
    console = SafeConsole(width=80, color_system=None)
    with console.capture() as captured:
        console.print(written, markup=False)
    assert not STEERING.search(captured.get())
