"""The holder of a stage (X-26). Law: locks follow containers.

PARALLEL runs neither hold nor wait (X-38).

A stage is locked while a run's status holds it, or any pod of that stage has a container of ours
that is not known to have ended, its run existing or not. Who came first enters first.
"""

from collections.abc import Iterable, Mapping, Sequence

from penstock.api.kinds.run import PipelineRunStatus
from penstock.engine.objects.workloads import PodObject
from penstock.engine.pods.metadata import stage_label
from penstock.engine.run.advance import RunAdvance


def leaving_first(statuses: Mapping[str, PipelineRunStatus]) -> dict[str, PipelineRunStatus]:
    """Return statuses in writing order: leaving a stage comes before entering it.

    That holds wherever the writing is cut off.
    """

    def progress(status: PipelineRunStatus) -> tuple[bool, int, bool]:
        states = status.stage_states
        is_between = bool(states) and not states[-1].status.is_open
        return bool(status.state and status.state.is_terminal), len(states), is_between

    return dict(sorted(statuses.items(), key=lambda item: progress(item[1]), reverse=True))


def holder_of(
    stage: str, asking: RunAdvance, advances: Sequence[RunAdvance], pods: Iterable[PodObject]
) -> str | None:
    """Return what keeps a run out of a stage, as people read it; None where it may enter.

    ``advances`` are the pipeline's runs in the order in which they enter, the
    asking one among them.
    """
    if asking.is_parallel:
        return None
    is_ahead = True
    for other in advances:
        if other is asking:
            is_ahead = False
        elif not other.is_parallel and (
            _holds(other, stage) or (is_ahead and _waits_for(other, stage))
        ):
            return "another run"
    label = stage_label(stage)
    unlocked = {other.run.uid for other in advances if other.is_parallel}
    for pod in pods:
        if pod.run_uid in unlocked:
            continue
        # A run's own earlier pods hold back its next attempts, and not its entry.
        if pod.stage_label == label and pod.run_uid != asking.run.uid and pod.may_run:
            return f"pod {pod.name}; if its node is lost: kubectl delete pod {pod.name} --force"
    return None


def _holds(other: RunAdvance, stage: str) -> bool:
    state = other.status.stage(stage)
    return state is not None and state.status.is_open


def _waits_for(other: RunAdvance, stage: str) -> bool:
    ahead = other.next_stage() if other.is_between_stages else None
    return ahead is not None and ahead.name == stage
