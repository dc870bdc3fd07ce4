"""Tells where people look whether a Pipeline's sources are seen: a condition, and Events.

Triggers write what they saw into the status; here it becomes news. A push to a source that is not
seen starts no run, and nothing else would say so.
"""

from collections.abc import Iterable, Iterator

from penstock.api.meta import PIPELINE
from penstock.api.status.conditions import Condition, ConditionType
from penstock.api.status.pipeline_status import PipelineStatus, SourceState
from penstock.api.text import shorten
from penstock.engine.commands import EmitEvent
from penstock.engine.snapshot import PipelineObject

# Bytes of the message: an error has 1,500 at most, and a stage has several sources.
_MESSAGE = 4_000
_SEEN = "Seen"


def source_condition(sources: Iterable[SourceState]) -> Iterator[Condition]:
    """Yield the condition SourcesSeen, none where no source is polled."""
    known = list(sources)
    failing = [item for item in known if item.last_error]
    if failing:
        # An error begins with its code, a word; what was not found has none.
        code, separator, _ = (failing[0].last_error or "").partition(": ")
        yield Condition(
            type=ConditionType.SOURCES_SEEN,
            status="False",
            reason=code if separator and code.isalpha() else "NotFound",
            message=shorten(
                "; ".join(f"{s.stage_name}/{s.action_name}: {s.last_error}" for s in failing),
                _MESSAGE,
            ),
        )
    elif known:
        yield Condition(
            type=ConditionType.SOURCES_SEEN,
            status="True",
            reason=_SEEN,
            message="a change of a source starts a run",
        )


def source_events(pipeline: PipelineObject, after: PipelineStatus) -> Iterator[EmitEvent]:
    """Yield an Event when sources are seen no more, and when they are seen again."""
    before, now = (_condition(status) for status in (pipeline.status, after))
    if now is None or (before and (before.status, before.message) == (now.status, now.message)):
        return
    if now.status == "False" or before:
        reason = "SourcesSeen" if now.status == "True" else "SourceNotSeen"
        yield EmitEvent(
            PIPELINE, pipeline.name, pipeline.uid, reason, now.message, now.status == "False"
        )


def _condition(status: PipelineStatus) -> Condition | None:
    return next((c for c in status.conditions if c.type == ConditionType.SOURCES_SEEN), None)
