"""What all commands share: the application, the console, the cluster, options, and exit codes."""

import sys
import time
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from penstock.cli.cluster import Cluster

EXIT_CODES = {"Succeeded": 0, "Failed": 1}
EXIT_REFUSED = 1
EXIT_OTHERWISE = 3
EXIT_TIMEOUT = 4

_PAUSE_S = 0.3

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False)
_settings: dict[str, Any] = {}

T = TypeVar("T")

Run = Annotated[str, typer.Argument(help="The PipelineRun.")]
Pipeline = Annotated[str, typer.Argument(help="The Pipeline.")]
Stage = Annotated[str, typer.Argument(help="The stage.")]
Reason = Annotated[str | None, typer.Option(help="Why, for everyone to read.")]
Timeout = Annotated[float, typer.Option(help="Give up waiting after so many seconds; what was asked stays asked.")]


@app.callback()
def options(
    namespace: Annotated[str | None, typer.Option("--namespace", "-n", help="The namespace.")] = None,
    context: Annotated[str | None, typer.Option(help="The kubeconfig context.")] = None,
) -> None:
    """AWS CodePipeline on Kubernetes: start runs, watch them, decide about them. Also as kubectl penstock."""
    _settings.update(namespace=namespace, context=context)


def connect() -> Cluster:
    """Return the cluster that the options name."""
    return Cluster(_settings.get("context"), _settings.get("namespace"))


def wait_for(look: Callable[[], T | None], timeout: float) -> T | None:
    """Return the first thing that ``look`` finds, None when it has found nothing in so many seconds."""
    deadline = time.monotonic() + timeout
    while (found := look()) is None and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
    return found


def refuse(message: str) -> typer.Exit:
    """Say why what was asked is not done; raise what this returns."""
    sys.stderr.write(f"penstock: {message}\n")
    return typer.Exit(EXIT_REFUSED)
