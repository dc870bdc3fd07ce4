"""What `penstock` shows of a run that was stopped: what was abandoned, and
what never ran (X-03).
"""

from rich.console import Console

from penstock.cli.connection.objects import Pipeline, Run, read
from penstock.cli.render import run_tree
from tests.support import command
from tests.support.fake_api import Document


def shown(run: Document, pipeline: Document) -> list[list[str]]:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(run_tree(read(Run, run), read(Pipeline, pipeline)))
    return [line.split() for line in captured.get().splitlines()]


def test_abandoned_not_run_and_succeeded_actions_are_told_apart() -> None:
    done, ended = (
        command.action("Lint", command.row()),
        command.action("Make", command.row("Abandoned")),
    )
    build = command.stage("Build", done, ended, status="Stopped", completionTime=command.TIME)
    pipeline = command.pipeline("web", "Build", "Prod")
    (first,) = pipeline["spec"]["stages"][0]["actions"]
    pipeline["spec"]["stages"][0]["actions"] = [
        {**first, "name": name} for name in ("Lint", "Make", "Pack")
    ]

    assert shown(command.run("run", "Stopped", build), pipeline) == [
        ["run", "–", "Stopped", "0.0", "s"],
        ["Build", "–", "Stopped", "0.0", "s"],
        ["Lint", "✓", "Succeeded", "0.0", "s"],
        ["Make", "–", "Abandoned", "0.0", "s"],
        ["Pack", "○", "not", "run"],
        ["Prod", "○", "not", "run"],
    ]
