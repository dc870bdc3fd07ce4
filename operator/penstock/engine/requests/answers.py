"""What people ask of runs beside a stop: retries and overrides, each answered once (X-60, C-07)."""

from collections.abc import Mapping
from datetime import datetime

from penstock.api.kinds.retry import RefusedRequest
from penstock.api.kinds.run import PipelineRunStatus
from penstock.engine.commands import EmitEvent
from penstock.engine.definition.frozen import Definition
from penstock.engine.requests.overrides import Overrides
from penstock.engine.requests.retries import Retries
from penstock.engine.snapshot import RunObject, Snapshot


def has_unanswered(run: RunObject, status: PipelineRunStatus) -> bool:
    """Whether the run's spec asks for something that its status does not answer yet."""
    spec = run.spec
    return spec is not None and (
        len(spec.retries) > len(status.retries) or len(spec.overrides) > len(status.overrides)
    )


def is_answered_anew(before: PipelineRunStatus, after: PipelineRunStatus) -> bool:
    """Whether this pass has answered a request."""
    return len(after.retries) > len(before.retries) or len(after.overrides) > len(before.overrides)


class UserRequests:
    """The answers of one pass.

    ``statuses`` are those of all runs that are not at rest, as far as the pass has come.
    """

    def __init__(
        self, snapshot: Snapshot, statuses: Mapping[str, PipelineRunStatus], now: datetime
    ) -> None:
        self._retries = Retries(snapshot, statuses, now)
        self._overrides = Overrides(self._retries, now)

    @property
    def events(self) -> list[EmitEvent]:
        """What people are told of the answers."""
        return [*self._retries.events, *self._overrides.events]

    def answer(
        self,
        run: RunObject,
        status: PipelineRunStatus,
        definition: Definition | None,
        blocked_by: RefusedRequest | None,
    ) -> PipelineRunStatus:
        """Return the status with everything answered. ``blocked_by`` keeps a run from going on."""
        status = self._retries.answer(run, status, definition, blocked_by)
        return self._overrides.answer(run, status, definition, blocked_by)
