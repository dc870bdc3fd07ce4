"""`penstock approve` and `penstock reject`: one's own decision on an Approval (P-62)."""

from typing import Annotated

import typer

from penstock.api.document import Document
from penstock.api.kinds.approval import ApprovalState
from penstock.cli.app import EXIT_OTHERWISE, Timeout, connect, gave_up, say, wait_for
from penstock.cli.connection.cluster import Cluster, DeletedError
from penstock.cli.connection.objects import Approval, CliError
from penstock.cli.text import in_line

Target = Annotated[str, typer.Argument(help="The PipelineRun that waits, or the Approval.")]
Action = Annotated[
    str | None, typer.Option(help="Which, where a run waits for several: ACTION or STAGE/ACTION.")
]
Comment = Annotated[
    str | None, typer.Option(help="What everyone shall read, at most 512 characters.")
]
Token = Annotated[
    str | None, typer.Option(help="The token that was seen: refused where a newer approval waits.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until the approval is decided.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(approve)
    app.command()(reject)


def approve(
    target: Target,
    action: Action = None,
    comment: Comment = None,
    token: Token = None,
    wait: Wait = False,
    timeout: Timeout = 3600.0,
) -> None:
    """Approve what a run waits for.

    The exit code with --wait: 0 Approved, 3 decided otherwise, 4 timeout
    (others must approve, too). 1: refused.
    """
    _decide(
        "Approved", target, action, {"comment": comment, "token": token}, timeout if wait else None
    )


def reject(
    target: Target,
    action: Action = None,
    comment: Comment = None,
    token: Token = None,
    wait: Wait = False,
    timeout: Timeout = 3600.0,
) -> None:
    """Reject what a run waits for; its action fails with the comment.

    The exit code with --wait: 0 Rejected, 3 decided otherwise before, 4 timeout. 1: refused.
    """
    _decide(
        "Rejected", target, action, {"comment": comment, "token": token}, timeout if wait else None
    )


def _decide(
    decision: str, target: str, action: str | None, said: Document, timeout: float | None
) -> None:
    cluster = connect()
    approval = find_approval(cluster.objects(Approval), target, action)
    user = cluster.whoami()
    made = {"user": user, "decision": decision, **{key: text for key, text in said.items() if text}}
    cluster.append(approval, "decisions", made)
    name = approval.metadata.name
    say(in_line(f"{decision.lower()} {name} as {user}"))
    if timeout is None:
        return
    became = wait_for(lambda: _outcome(cluster, name), timeout)
    say(f"{name}: {became or ApprovalState.PENDING}")
    if became is None:
        raise gave_up(f"approval {name} is pending: others must decide, too", timeout)
    raise typer.Exit(0 if became == decision else EXIT_OTHERWISE)


def _outcome(cluster: Cluster, name: str) -> ApprovalState | None:
    found = next((item for item in cluster.objects(Approval) if item.metadata.name == name), None)
    if found is None:
        raise DeletedError(f"approval {name} was deleted")
    return found.state if found.state is not ApprovalState.PENDING else None


def find_approval(approvals: list[Approval], target: str, action: str | None) -> Approval:
    """Return the pending Approval that the user means; raise CliError if there is none.

    The error gives the reason, with CodePipeline's names.
    """
    meant = [item for item in approvals if target in (item.metadata.name, item.spec.run)]
    if action:
        meant = [item for item in meant if action in (item.spec.action_name, item.where)]
    pending = [item for item in meant if item.state is ApprovalState.PENDING]
    if len(pending) > 1:
        names = ", ".join(item.where for item in pending)
        raise CliError(
            f"{target} waits for {len(pending)} approvals; name one with --action: {names}"
        )
    if pending:
        return pending[0]
    if meant:
        newest = max(meant, key=lambda item: item.metadata.creation_timestamp)
        raise CliError(
            f"ApprovalAlreadyCompleted: {newest.where} of {target} is {newest.state.value}"
        )
    what = f" of action {action}" if action else ""
    raise CliError(
        f"ActionNotFound: there is no approval{what} for {target}: kubectl get approvals shows all"
    )
