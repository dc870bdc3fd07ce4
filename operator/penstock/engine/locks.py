"""Who holds a stage (X-26). Law: locks follow containers. PARALLEL runs neither hold nor wait (X-38).

A stage is locked while a run's status holds it, or any pod of that stage has a container of ours that is not
known to have ended, its run existing or not. Who came first enters first.
"""

from collections.abc import Iterable, Mapping, Sequence

from penstock.api.run import PipelineRunStatus
from penstock.engine.jobs import stage_label
from penstock.engine.observed import Pod
from penstock.engine.run import RunAdvance


def leaving_first(statuses: Mapping[str, PipelineRunStatus]) -> dict[str, PipelineRunStatus]:
    """Return statuses in the order to write them: who leaves a stage before who enters it, wherever that is cut off."""

    def progress(status: PipelineRunStatus) -> tuple[bool, int]:
        return bool(status.state and status.state.is_terminal), len(status.stage_states)

    return dict(sorted(statuses.items(), key=lambda item: progress(item[1]), reverse=True))


def holder_of(stage: str, asking: RunAdvance, advances: Sequence[RunAdvance], pods: Iterable[Pod]) -> str | None:
    """Return what keeps a run out of a stage, as people read it; None where it may enter.

    ``advances`` are the pipeline's runs in the order of their arrival, the asking one among them.
    """
    if asking.is_parallel:
        return None
    is_ahead = True
    for other in advances:
        if other is asking:
            is_ahead = False
        if other is asking or other.is_parallel:
            continue
        if is_ahead and other.is_between_stages and (front := other.next_stage()) and front.name == stage:
            return "another run"
        if any(state.stage_name == stage for state in other.status.stage_states if state.status.is_open):
            return "another run"
    label = stage_label(stage)
    unlocked = {other.run.uid for other in advances if other.is_parallel}
    for pod in pods:
        if pod.run_uid in unlocked:
            continue
        if pod.stage_label == label and pod.run_uid != asking.run.uid and pod.may_run:
            return f"pod {pod.name}; if its node is lost: kubectl delete pod {pod.name} --force"
    return None
