"""What `penstock` shows of a run that was stopped: what was abandoned, and what never ran (X-03)."""

from typing import Any

from rich.console import Console

from penstock.cli.render import run_tree


def shown(run: dict[str, Any], pipeline: dict[str, Any]) -> list[list[str]]:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(run_tree(run, pipeline))
    return [line.split() for line in captured.get().splitlines()]


def test_abandoned_not_run_and_succeeded_actions_are_told_apart() -> None:
    time = "2026-11-21T12:00:00.000Z"

    def action(name: str, status: str) -> dict[str, Any]:
        return {"actionName": name, "executions": [{"status": status, "startTime": time, "completionTime": time}]}

    build = {"stageName": "Build", "status": "Stopped", "startTime": time, "completionTime": time}
    build["actionStates"] = [action("Lint", "Succeeded"), action("Make", "Abandoned")]  # type: ignore[assignment]
    status = {"state": "Stopped", "startTime": time, "completionTime": time, "stageStates": [build]}
    actions = [{"name": name} for name in ("Lint", "Make", "Pack")]
    pipeline = {"spec": {"stages": [{"name": "Build", "actions": actions}, {"name": "Prod", "actions": []}]}}

    assert shown({"metadata": {"name": "run"}, "status": status}, pipeline) == [
        ["run", "–", "Stopped", "0.0", "s"],
        ["Build", "–", "Stopped", "0.0", "s"],
        ["Lint", "✓", "Succeeded", "0.0", "s"],
        ["Make", "–", "Abandoned", "0.0", "s"],
        ["Pack", "○", "not", "run"],
        ["Prod", "○", "not", "run"],
    ]
