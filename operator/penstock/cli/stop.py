"""What `penstock stop` asks of the API server, and what it refuses before it asks (X-53..X-55)."""

from penstock.cli.cluster import Cluster, ClusterError, Document
from penstock.cli.render import is_over, state_of


def ask_to_stop(cluster: Cluster, name: str, *, abandon: bool, reason: str | None) -> Document:
    """Write the stop request into a run's spec; ClusterError says why it cannot be stopped."""
    run = cluster.run(name)
    stop: Document = run["spec"].get("stop") or {}
    if is_over(run):
        raise ClusterError(f"PipelineExecutionNotStoppable: run {name} has ended: {state_of(run)}")
    if stop and (stop.get("abandon") or not abandon):
        hint = "" if stop.get("abandon") else "; --abandon ends the actions under way"
        raise ClusterError(f"DuplicatedStopRequest: run {name} is asked to stop already{hint}")
    said: Document = ({"abandon": True} if abandon else {}) | ({"reason": reason} if reason else {})
    return cluster.change_run(run, {"stop": {"requestedBy": cluster.whoami(), **said}})
