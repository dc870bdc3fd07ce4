"""`penstock approve` and `penstock reject`: one's own decision on an Approval (P-62)."""

from typing import Annotated

import typer

from penstock.cli.app import EXIT_OTHERWISE, EXIT_TIMEOUT, Timeout, connect, console, wait_for
from penstock.cli.cluster import Cluster, ClusterError, Document

_APPROVALS = "approvals"

Target = Annotated[str, typer.Argument(help="The PipelineRun that waits, or the Approval.")]
Action = Annotated[str | None, typer.Option(help="Which, where a run waits for several: ACTION or STAGE/ACTION.")]
Comment = Annotated[str | None, typer.Option(help="What everyone shall read, at most 512 characters.")]
Token = Annotated[str | None, typer.Option(help="The token that was seen: refused where a newer approval waits.")]
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

    The exit code with --wait: 0 Approved, 3 decided otherwise, 4 timeout (others must approve, too). 1: refused.
    """
    _decide("Approved", target, action, {"comment": comment, "token": token}, timeout if wait else None)


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
    _decide("Rejected", target, action, {"comment": comment, "token": token}, timeout if wait else None)


def _decide(decision: str, target: str, action: str | None, said: Document, timeout: float | None) -> None:
    cluster = connect()
    approval = find_approval(cluster.objects(_APPROVALS), target, action)
    user = cluster.whoami()
    made = {"user": user, "decision": decision, **{key: text for key, text in said.items() if text}}
    cluster.append(_APPROVALS, approval, "decisions", made)
    name = approval["metadata"]["name"]
    console.print(f"{decision.lower()} {name} as {user}")
    if timeout is None:
        return
    became = wait_for(lambda: _outcome(cluster, name), timeout)
    console.print(f"{name}: {became or 'Pending'}")
    raise typer.Exit(EXIT_TIMEOUT if became is None else 0 if became == decision else EXIT_OTHERWISE)


def _outcome(cluster: Cluster, name: str) -> str | None:
    found = next((item for item in cluster.objects(_APPROVALS) if item["metadata"]["name"] == name), None)
    if found is None:
        raise ClusterError(f"approval {name} was deleted")
    state = state_of(found)
    return state if state != "Pending" else None


def state_of(approval: Document) -> str:
    """Return an Approval's state, Pending before the operator has seen it."""
    return str(approval.get("status", {}).get("state") or "Pending")


def find_approval(approvals: list[Document], target: str, action: str | None) -> Document:
    """Return the pending Approval that is meant; ClusterError says, with CodePipeline's names, why there is none."""
    meant = [item for item in approvals if target in (item["metadata"]["name"], item["spec"]["run"])]
    if action:
        meant = [item for item in meant if action in (item["spec"]["actionName"], where_of(item))]
    pending = [item for item in meant if state_of(item) == "Pending"]
    if len(pending) > 1:
        names = ", ".join(where_of(item) for item in pending)
        raise ClusterError(f"{target} waits for {len(pending)} approvals; name one with --action: {names}")
    if pending:
        return pending[0]
    if meant:
        newest = max(meant, key=lambda item: str(item["metadata"]["creationTimestamp"]))
        raise ClusterError(f"ApprovalAlreadyCompleted: {where_of(newest)} of {target} is {state_of(newest)}")
    what = f" of action {action}" if action else ""
    raise ClusterError(f"ActionNotFound: there is no approval{what} for {target}: kubectl get approvals shows all")


def where_of(approval: Document) -> str:
    """Return stage and action as people write them."""
    return f"{approval['spec']['stageName']}/{approval['spec']['actionName']}"
