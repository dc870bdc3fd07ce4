"""Asks a run to stop, and tells in its status which stop it follows (X-53..X-58)."""

from typing import Annotated

from pydantic import Field, StringConstraints

from penstock.api.model import Model, rule, rules

_RAISED_ONLY = rule(
    "self == oldSelf || (has(self.abandon) && self.abandon && !(has(oldSelf.abandon) && "
    "oldSelf.abandon)) || (has(self.afterRetries) && self.afterRetries > "
    "(has(oldSelf.afterRetries) ? oldSelf.afterRetries : 0))",
    "DuplicatedStopRequest: the run is asked to stop already; abandon may be raised from false to "
    "true (X-55), and a run that was retried since is stopped anew with a greater afterRetries",
)


class StopRequest(Model):
    """Asks a run to stop (X-53): no action starts. ``abandon`` also ends actions under way (X-54).

    It is written once. Only ``abandon`` may be raised later, and then says anew why and by whom;
    and a run that a retry has resumed may be asked again.
    """

    model_config = {"json_schema_extra": rules(_RAISED_ONLY)}

    abandon: bool | None = None
    reason: Annotated[str, StringConstraints(max_length=200)] | None = None
    requested_by: Annotated[str, StringConstraints(max_length=253)] | None = None
    after_retries: Annotated[int, Field(ge=0, le=50)] | None = None
    """The number of ``spec.retries``, if one of them resumed the run after an earlier stop."""


class StopTrigger(Model):
    """The stop request that the run follows (X-58), as it was when it was seen."""

    abandon: bool = False
    reason: str | None = None
    requested_by: str | None = None
    after_retries: int | None = None
    time: str
    """When the engine saw it."""
    resumed_time: str | None = None
    """When a retry resumed the run: the stop is over since."""
