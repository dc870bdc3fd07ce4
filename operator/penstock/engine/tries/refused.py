"""What becomes of a try whose Job or Approval is refused: it says so, asks again, and fails at its limit."""

from datetime import timedelta

from penstock.api.status.executions import ActionExecution, ActionStatus, ErrorDetails
from penstock.api.times import parse_time
from penstock.engine.tries.effects import Findings
from penstock.engine.tries.facts import World
from penstock.engine.tries.results import Ended


def held_back(
    row: ActionExecution, kind: str, name: str, world: World, findings: Findings
) -> ActionExecution | Ended | None:
    """Return the row that says why its object is not there, or how it ends; None where the object is asked for.

    A quota may get room and a name become free; what can never be accepted ends the try at once.
    """
    refused = world.refused.get(name)
    if refused is None:
        return None
    limit = (parse_time(row.start_time) or world.now) + timedelta(seconds=world.settings.start_s)
    if refused.is_final or world.now >= limit:
        return Ended(ActionStatus.FAILED, refused.reason, f"the API server refuses the {kind}: {refused.message}")
    again = world.again_at(refused)
    findings.look_again.append(min(again, limit))
    if world.now >= again:
        return None
    return row.model_copy(update={"waiting": ErrorDetails(code=refused.reason, message=refused.message)})
