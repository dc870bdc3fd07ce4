"""`penstock start`: its options (X-50, X-51), and starting only once (N-17).

It starts once, however often it is asked.
"""

import re
from collections.abc import Iterator
from typing import Annotated

import typer

from penstock.api.document import Document
from penstock.api.names import child_name, slug_of
from penstock.cli.app import Pipeline, Timeout, connect, say
from penstock.cli.connection.cluster import Cluster
from penstock.cli.connection.objects import CliError, Run
from penstock.cli.watching import watch_run

_TOKEN = re.compile(r"[a-zA-Z0-9-]{1,128}")
_REVISION_TYPES = ("COMMIT_ID", "IMAGE_DIGEST", "S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY")
_CONFLICT = 409


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(start)


def start(
    pipeline: Pipeline,
    var: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE for a pipeline variable.")
    ] = None,
    revision: Annotated[
        list[str] | None,
        typer.Option(
            help="ACTION=COMMIT for a source action, or ACTION=S3_OBJECT_VERSION_ID=ID, "
            "…=S3_OBJECT_KEY=KEY."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The run's name; one that is taken is refused.")
    ] = None,
    client_request_token: Annotated[
        str | None,
        typer.Option(
            help="Starting twice with the same token starts one run, and prints its name twice."
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "--wait", "-w", help="Watch the run until it ends.")
    ] = False,
    timeout: Timeout = 3600.0,
) -> None:
    """Start a pipeline and print the run's name.

    The exit code with --watch: 0 Succeeded, 1 Failed, 3 anything else, 4 timeout.
    """
    if name and client_request_token:
        raise typer.BadParameter("excludes --name", param_hint="--client-request-token")
    cluster = connect()
    cluster.pipeline(pipeline)
    spec = _spec_of(pipeline, cluster.whoami(), var, revision)
    run = _started(cluster, pipeline, spec, name=name, token=client_request_token)
    say(run.name)
    if watch:
        raise typer.Exit(watch_run(cluster, run.name, timeout))


def _spec_of(
    pipeline: str, who: str | None, var: list[str] | None, revision: list[str] | None
) -> Document:
    """Return the spec of a run that somebody starts, without what is empty."""
    spec: Document = {
        "pipelineRef": {"name": pipeline},
        "requestedBy": who,
        "trigger": {
            "triggerType": "StartPipelineExecution",
            **({"triggerDetail": who} if who else {}),
        },
        "variables": [{"name": key, "value": value} for key, value in _pairs("--var", var)],
        "sourceRevisions": list(_revisions(revision)),
    }
    return {key: value for key, value in spec.items() if value}


def _started(
    cluster: Cluster, pipeline: str, spec: Document, *, name: str | None, token: str | None
) -> Run:
    """Start a run, only once if there is a token; return it."""
    if token:
        return _start_once(cluster, pipeline, token, spec)
    return cluster.start(
        {"name": name} if name else {"generateName": f"{slug_of(pipeline)}-"}, spec
    )


def _start_once(cluster: Cluster, pipeline: str, token: str, spec: Document) -> Run:
    """Start a run whose name follows from the token.

    If that run exists and was started with the same values, return it.
    """
    if not _TOKEN.fullmatch(token):
        raise typer.BadParameter(
            "letters, digits and hyphens, at most 128 (N-17)", param_hint="--client-request-token"
        )
    name = child_name(pipeline, pipeline, token)
    try:
        return cluster.start({"name": name}, spec)
    except CliError as error:
        if error.status != _CONFLICT:
            raise
    known = cluster.run(name)
    written = known.spec.to_dict()
    # Who asks does not count: another person may repeat a request by its token.
    asked = {key: written.get(key) for key in ("pipelineRef", "variables", "sourceRevisions")}
    if asked != {key: spec.get(key) for key in asked}:
        raise CliError(
            f"ConflictException: run {name} was started with this token, but with something else"
        )
    return known


def _revisions(given: list[str] | None) -> Iterator[Document]:
    for action, text in _pairs("--revision", given):
        kind, separator, value = text.partition("=")
        is_typed = bool(separator) and kind in _REVISION_TYPES
        revision_type, revision = (kind, value) if is_typed else ("COMMIT_ID", text)
        yield {"actionName": action, "revisionType": revision_type, "revisionValue": revision}


def _pairs(option: str, given: list[str] | None) -> Iterator[tuple[str, str]]:
    for text in given or ():
        key, separator, value = text.partition("=")
        if not separator:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint=option)
        yield key, value
