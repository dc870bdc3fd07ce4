"""What ended containers say: the agent's result if it can be trusted, else that the try is lost.

An empty or unreadable result is never success, and a pod without a result is lost, not failed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from penstock.api.contract.contracts import (
    ACTION_CONTAINER,
    AGENT_CONTAINER,
    DUPLICATE,
    ActionResult,
    ContractError,
)
from penstock.api.status.executions import ActionStatus
from penstock.engine.objects.workloads import Container, PodObject

NOT_STARTED = {"StartError", "ContainerCannotRun"}
_NO_CODE = "ActionContainerDied"
_OUT_OF_MEMORY = "OOMKilled"


@dataclass(frozen=True, slots=True)
class TryResult:
    """Over. ``is_job_to_go``: something of it may still run and must be deleted."""

    status: ActionStatus
    code: str = ""
    message: str = ""
    result: ActionResult | None = None
    is_job_to_go: bool = False


def failed(code: str, message: str, is_job_to_go: bool = False) -> TryResult:
    """Return that a try failed."""
    return TryResult(ActionStatus.FAILED, code, message, None, is_job_to_go)


def lost(code: str, message: str) -> TryResult:
    """Return that nobody can say what a try did."""
    return TryResult(ActionStatus.UNKNOWN, code, message, None, True)


def is_lost(result: ActionResult | None) -> bool:
    """Whether the agent says nothing of what was done."""
    return result is None or result.status == "Lost"


def all_ended(containers: dict[str, Container]) -> TryResult:
    """Return what a try's containers say once all have ended."""
    agent, action = containers[AGENT_CONTAINER], containers.get(ACTION_CONTAINER)
    # The agent only sees that nothing happens. The kubelet's reason says why.
    if action and action.reason in NOT_STARTED:
        return not_started(action)
    result = result_of(agent)
    return _with_result(result, agent, action) if result else _agent_without_result(agent)


def result_of(agent: Container) -> ActionResult | None:
    """Return what the agent reported; a message that does not parse is none."""
    try:
        return ActionResult.decode(agent.message) if agent.is_terminated else None
    except ContractError:
        return None


def deciding(pods: Iterable[PodObject]) -> PodObject | None:
    """Return the Pod whose end decides the try.

    If the Job has made several Pods, it is the one that began first.

    One that found the try claimed did nothing, and says nothing while another is there.
    """
    return min(
        pods, key=lambda pod: (_is_duplicate(pod), _begun(pod), pod.created, pod.name), default=None
    )


def _is_duplicate(pod: PodObject) -> bool:
    result = result_of(pod.containers.get(AGENT_CONTAINER, Container()))
    return result is not None and (result.status, result.code) == ("Lost", DUPLICATE)


def _begun(pod: PodObject) -> datetime:
    agent = pod.containers.get(AGENT_CONTAINER, Container())
    # A pod whose agent never began comes last: it cannot have done anything.
    return agent.running_since or agent.started or datetime.max.replace(tzinfo=UTC)


def not_started(action: Container) -> TryResult:
    """Return that the action's container could not start."""
    return failed(
        action.reason or "StartError",
        f"the action's container could not start: {action.message.strip()}; an image needs `sh` to "
        f"run commands",
        True,
    )


def _agent_without_result(agent: Container) -> TryResult:
    why = (
        f"reason {agent.reason}, exit code {agent.exit_code}"
        if agent.reason
        else f"exit code {agent.exit_code}"
    )
    return lost("AgentLost", f"the agent ended without a result ({why}); its effect is unknown")


def _with_result(result: ActionResult, agent: Container, action: Container | None) -> TryResult:
    if result.status == "Lost":
        return TryResult(ActionStatus.UNKNOWN, result.code, result.message, result)
    if result.status != "Succeeded":
        return _failed_result(result, action)
    # The agent writes its message before it exits: another code contradicts the message.
    if agent.exit_code != 0:
        return _agent_without_result(agent)
    # A command may write a result of its own, but the exit code is the kernel's.
    if action and not action.exit_code == 0 == (result.exit_code or 0):
        return _mismatch(result, action)
    return TryResult(ActionStatus.SUCCEEDED, result=result)


def _failed_result(result: ActionResult, action: Container | None) -> TryResult:
    code, message = result.code or "JobFailed", result.message
    if action and code == _NO_CODE:
        message = (
            f"the action's container ended before its commands did (exit code {action.exit_code})"
        )
        cause = action.reason or "killed"
        message += "" if cause == _OUT_OF_MEMORY else f": {cause}"
    elif (
        action
        and result.exit_code is not None
        and code != "TimedOut"
        and result.exit_code != action.exit_code
    ):
        return _mismatch(result, action)
    if action and action.reason == _OUT_OF_MEMORY and code in (_NO_CODE, "JobFailed"):
        # The kernel may have killed one of the commands' processes only (cgroup v1): then they
        # report an exit code.
        code = _OUT_OF_MEMORY
        message += "; the container used more memory than its limit: choose a larger ComputeType"
    return TryResult(ActionStatus.FAILED, code, message, result)


def _mismatch(result: ActionResult, action: Container) -> TryResult:
    return TryResult(
        ActionStatus.FAILED,
        "ResultMismatch",
        f"the commands reported exit code {result.exit_code}, the container ended with "
        f"{action.exit_code}: a command wrote a result of its own",
        result,
    )


def pod_ended(pod: PodObject, containers: dict[str, Container]) -> TryResult:
    """Return the result of a Pod that was evicted, or whose node is gone.

    An earlier report of the agent still counts. All else is unknown.
    """
    result = result_of(containers[AGENT_CONTAINER])
    # A success needs the action's exit code, too, and a container of a lost pod may have none.
    if result and result.status == "Failed":
        return TryResult(ActionStatus.FAILED, result.code, result.message, result)
    if pod.reason == "Evicted" and "EmptyDir volume" in pod.message:
        # It would happen again: that the node runs out of disk is another message.
        why = (
            f"the action's files outgrew the limit of its workspace, and the pod was evicted: "
            f"{pod.message.strip()}"
        )
        return failed("WorkspaceFull", why, True)
    return lost(
        "PodLost", f"the pod was lost: {pod.reason or pod.phase}: {pod.message}".rstrip(": ")
    )
