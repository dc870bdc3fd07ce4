"""What all commands share: the application, the console, the cluster, options, and exit codes."""

import sys
import time
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from penstock.cli.connection.cluster import Cluster
from penstock.cli.connection.transport import UnreachableError
from penstock.cli.text import visible

EXIT_CODES = {"Succeeded": 0, "Failed": 1}
EXIT_REFUSED = 1
EXIT_OTHERWISE = 3
EXIT_TIMEOUT = 4
"""Gave up waiting, for what was asked or for the API server: what became of it is not known."""

# How often a command looks whether what it asked for has happened.
_PAUSE_S = 0.3


class SafeConsole(Console):
    """A console on which no text can steer the terminal: the last gate (attack 11)."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render as rich does, but pass each piece of text through `visible`.

        The control codes of rich itself pass unchanged.
        """
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = SafeConsole(highlight=False)
_settings: dict[str, Any] = {}

T = TypeVar("T")

Run = Annotated[str, typer.Argument(help="The PipelineRun.")]
Pipeline = Annotated[str, typer.Argument(help="The Pipeline.")]
Stage = Annotated[str, typer.Argument(help="The stage.")]
Reason = Annotated[str | None, typer.Option(help="Why, for everyone to read.")]
Timeout = Annotated[
    float, typer.Option(help="Give up waiting after so many seconds; what was asked for stays.")
]


@app.callback()
def options(
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="The namespace.")
    ] = None,
    context: Annotated[str | None, typer.Option(help="The kubeconfig context.")] = None,
) -> None:
    """AWS CodePipeline on Kubernetes: start runs, watch them, decide about them.

    It also runs as kubectl penstock.
    """
    _settings.update(namespace=namespace, context=context)


def connect() -> Cluster:
    """Return the cluster that the options name."""
    return Cluster(_settings.get("context"), _settings.get("namespace"))


def wait_for(look: Callable[[], T | None], timeout: float) -> T | None:
    """Return the first thing that ``look`` finds, or None after so many seconds.

    An API server that is away meanwhile is waited for, too.
    """
    deadline = time.monotonic() + timeout
    away = Away()
    while True:
        try:
            found = look()
            away.over()
        except UnreachableError as error:
            away.tell(error)
            found = None
        # It is looked for once at least, even where the time is zero.
        if found is not None or time.monotonic() >= deadline:
            return found
        time.sleep(_PAUSE_S)


class Away:
    """Tells once that the API server is away, and once that it is back."""

    def __init__(self) -> None:
        self._is_told = False

    def tell(self, error: UnreachableError) -> None:
        """Say that it does not answer, unless that was said."""
        if not self._is_told:
            complain(f"{error}; trying again until --timeout")
        self._is_told = True

    def over(self) -> None:
        """Say that it answers again, if it did not."""
        if self._is_told:
            complain("the API server answers again")
        self._is_told = False


def say(text: str) -> None:
    """Print a line, or several, for people or programs."""
    console.print(Text(visible(text)), soft_wrap=True)


def complain(message: str) -> None:
    """Print a line for people to stderr."""
    sys.stderr.write(f"penstock: {visible(message)}\n")
    sys.stderr.flush()


def refuse(message: str) -> typer.Exit:
    """Say why what was asked is not done; raise what this returns."""
    complain(message)
    return typer.Exit(EXIT_REFUSED)


def gave_up(what: str, timeout: float) -> typer.Exit:
    """Say what was waited for in vain; raise what this returns."""
    complain(f"gave up after {timeout:g} s: {what}")
    return typer.Exit(EXIT_TIMEOUT)
