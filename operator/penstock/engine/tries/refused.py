"""Handles a try whose Job or Approval is refused.

The try says so, asks again, and fails at its limit.
"""

from datetime import timedelta

from penstock.api.status.executions import ActionExecution, ActionStatus, ErrorDetails
from penstock.api.times import parse_time
from penstock.engine.tries.effects import Effects
from penstock.engine.tries.facts import Facts
from penstock.engine.tries.results import TryResult


def held_back(
    execution: ActionExecution, kind: str, name: str, facts: Facts, effects: Effects
) -> ActionExecution | TryResult | None:
    """Return the execution with the reason why its object is missing, or its end.

    None if the object is asked for.

    A quota may get room and a name become free; what can never be accepted ends the try at once.
    """
    refused = facts.refused.get(name)
    if refused is None:
        return None
    # As for any other wait before the containers start, the start deadline is the limit.
    limit = (parse_time(execution.start_time) or facts.now) + timedelta(
        seconds=facts.settings.start_s
    )
    if refused.is_final or facts.now >= limit:
        return TryResult(
            ActionStatus.FAILED,
            refused.reason,
            f"the API server refuses the {kind}: {refused.message}",
        )
    again = facts.again_at(refused)
    effects.look_again.append(min(again, limit))
    if facts.now >= again:
        return None
    return execution.model_copy(
        update={"waiting": ErrorDetails(code=refused.reason, message=refused.message)}
    )
