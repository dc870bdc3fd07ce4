"""One pass over one Pipeline: look at the sources that are due, decide, and act in order."""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from penstock.api.document import Document
from penstock.api.meta import TRIGGERS
from penstock.api.status.pipeline_status import MOST_REFS
from penstock.cluster.client import Client
from penstock.cluster.errors import (
    AlreadyExistsError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
)
from penstock.cluster.resources import PIPELINES, RUNS
from penstock.triggers.decide import (
    NewRun,
    SourceDecision,
    StartedRun,
    State,
    View,
    decide,
    due_at,
    recovered,
)
from penstock.triggers.metrics import TriggerMetrics
from penstock.triggers.observations import (
    WEBHOOK_V2,
    Failed,
    Key,
    Observation,
    RefsSeen,
    Source,
)
from penstock.triggers.pipelines import (
    SourceAction,
    pipeline_uid_of,
    readable,
    run_of,
    source_actions,
    status_of,
    view_of,
)
from penstock.triggers.sources.base import SourceProvider, Watch

log = logging.getLogger(__name__)


# A look that could not judge all that has moved is followed by another one so soon.
_PARTIAL_S = 5.0


@dataclass(slots=True)
class Schedule:
    """When to look at a Pipeline's sources next, and what was begun; in memory alone.

    A restart looks at once.
    """

    due: dict[tuple[Key, str], float] = field(default_factory=dict)
    failures: dict[Key, int] = field(default_factory=dict)
    started: list[StartedRun] = field(default_factory=list)
    """Runs that were created and are not yet remembered in the status."""
    undone: list[NewRun] = field(default_factory=list)
    """Runs that were decided and perhaps created: an answer may be lost behind its effect.

    They come first, under the names that they have: a new decision would name them anew, and make a
    second run of one push. A restart knows them from the runs that there are.
    """

    told: dict[Key, float] = field(default_factory=dict)
    """When a host has told of a source: a look that began before may not have seen it."""

    def make_due(self, keys: Iterable[Key]) -> None:
        """Let some sources be looked at in the next pass."""
        wanted = set(keys)
        self.told |= dict.fromkeys(wanted, time.monotonic())
        self.due = {entry: 0.0 if entry[0] in wanted else when for entry, when in self.due.items()}


class _Polled(NamedTuple):
    """A source that is polled: who looks at it, and how."""

    provider: SourceProvider
    watch: Watch


class Poller:
    """Works on Pipelines, each by its own pass; ``providers`` look at the sources they know."""

    def __init__(
        self,
        client: Client,
        providers: Mapping[str, SourceProvider],
        interval_s: float,
        metrics: TriggerMetrics,
    ) -> None:
        self._client, self._providers = client, providers
        self._interval, self._metrics = interval_s, metrics

    async def run(self, document: Document, schedule: Schedule) -> tuple[Document, float | None]:
        """Return the Pipeline after the pass, and the seconds to the next look.

        None means to look at its next event.
        """
        found = readable(document)
        if found is None:
            return document, None
        view = await self._with_owner(document["metadata"]["namespace"], view_of(document, *found))
        await self._create_undone(document["metadata"]["namespace"], view, schedule)
        polled = self._polled(source_actions(found[0]))
        known = recovered(view, schedule.started)
        due = self._due(schedule, polled)
        begun = time.monotonic()
        looks = {source: _watch(view, known, source, polled) for source in due}
        for source, watch in looks.items():
            # A baseline is never older than the Pipeline: a push from before is no change of it.
            not_before = schedule.told.get(source.key, 0.0) if watch.is_known else begun
            looks[source] = watch._replace(not_before=not_before)
        if not view.is_settled or due or known != view.state or self._is_stale(view.state, polled):
            observed = await self._look(document["metadata"]["namespace"], polled, looks)
            view, before = replace(view, state=known), view.state
            decision = decide(view, list(polled), observed, int(time.time()))
            document = await self._carry_out(document, view, decision, before, schedule)
            # After the write: until then this list alone knows what was started.
            schedule.started.clear()
            self._plan_next(schedule, {source: polled[source] for source in due}, observed, begun)
        times = list(schedule.due.values())
        return document, max(0.0, min(times) - time.monotonic()) if times else None

    async def _with_owner(self, namespace: str, view: View) -> View:
        """Return the view with the last run's owner, if that matters: its name does not tell it."""
        if not view.doubts:
            return view
        async for run in self._client.list(
            RUNS, namespace, fields=f"metadata.name={view.last_run}"
        ):
            return replace(view, last_run_of=pipeline_uid_of(run))
        return view

    def _polled(self, actions: Iterable[SourceAction]) -> dict[Source, _Polled]:
        found = {}
        for item in actions:
            provider = self._providers.get(item.provider)
            watch = Watch(item.action.configuration, item.trigger)
            identity = provider.identity(watch) if provider else None
            if provider and identity:
                trigger = WEBHOOK_V2 if item.trigger else provider.trigger
                source = Source(item.stage, item.action.name, identity, trigger, watch.is_filtered)
                found[source] = _Polled(provider, watch)
        return found

    @staticmethod
    def _is_stale(state: State, polled: Iterable[Source]) -> bool:
        """Whether status remembers a source that is not polled any more."""
        keys = {source.key for source in polled}
        return any((mark.stage_name, mark.action_name) not in keys for mark in state.marks)

    @staticmethod
    def _due(schedule: Schedule, polled: Iterable[Source]) -> list[Source]:
        """Return what to look at now; what is not polled any more is forgotten."""
        sources = {(source.key, source.identity): source for source in polled}
        schedule.due = {entry: when for entry, when in schedule.due.items() if entry in sources}
        now = time.monotonic()
        return [source for entry, source in sources.items() if schedule.due.get(entry, now) <= now]

    async def _look(
        self, namespace: str, polled: Mapping[Source, _Polled], looks: Mapping[Source, Watch]
    ) -> dict[Key, Observation]:
        observed = await asyncio.gather(
            *(polled[source].provider.look(namespace, watch) for source, watch in looks.items())
        )
        for observation in observed:
            self._metrics.looks.labels("failed" if isinstance(observation, Failed) else "ok").inc()
        return {source.key: seen for source, seen in zip(looks, observed, strict=True)}

    def _plan_next(
        self,
        schedule: Schedule,
        looked_at: Mapping[Source, _Polled],
        observed: Mapping[Key, Observation],
        begun: float,
    ) -> None:
        now = time.monotonic()
        for source, (provider, watch) in looked_at.items():
            seen = observed[source.key]
            failures = schedule.failures.get(source.key, 0) + 1 if isinstance(seen, Failed) else 0
            schedule.failures[source.key] = failures
            due = due_at(now, self._interval, failures, provider.repository(watch))
            if isinstance(seen, RefsSeen) and seen.is_partial:
                due = min(due, now + _PARTIAL_S)
            # Told of while it was looked at.
            if schedule.told.get(source.key, 0.0) > begun:
                due = 0.0
            schedule.due[source.key, source.identity] = due

    async def _carry_out(
        self,
        document: Document,
        view: View,
        decision: SourceDecision,
        before: State,
        schedule: Schedule,
    ) -> Document:
        """Remember, create, remember; a created run has started, even if not remembered now."""
        # Where no run follows, the second write says it all.
        if decision.runs and decision.first != before:
            document = await self._remember(document, decision.first)
            before = decision.first
        # From here on a run may exist: before, deciding again does no harm.
        schedule.undone = list(decision.runs)
        await self._create_undone(document["metadata"]["namespace"], view, schedule)
        return (
            await self._remember(document, decision.then) if decision.then != before else document
        )

    async def _create_undone(self, namespace: str, view: View, schedule: Schedule) -> None:
        while schedule.undone:
            run = schedule.undone[0]
            try:
                await self._create(namespace, view, run)
            except (ForbiddenError, InvalidError):
                # None was created: what is decided next may be something else.
                schedule.undone.clear()
                raise
            schedule.started.append(
                StartedRun(view.uid, run.key, run.revision, run.sequence, run.ref)
            )
            schedule.undone.pop(0)

    async def _remember(self, document: Document, state: State) -> Document:
        namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
        body = status_of(document, state)
        return await self._client.apply_status(PIPELINES, namespace, name, body, TRIGGERS)

    async def _create(self, namespace: str, view: View, run: NewRun) -> None:
        where = {"namespace": namespace, "pipeline": view.name, "run": run.name}
        try:
            await self._client.create(RUNS, namespace, run_of(view, run))
        # Created before a crash: by its name it is the same run.
        except AlreadyExistsError:
            return
        except NotFoundError:
            log.info("The namespace is gone", extra=where)
            return
        self._metrics.started.labels(run.trigger).inc()
        log.info("Started a run: %s, %s", run.trigger, run.detail, extra=where)


def _watch(view: View, state: State, source: Source, polled: Mapping[Source, _Polled]) -> Watch:
    """Return how a source is looked at, with what is remembered of it."""
    mark = state.mark(source.key)
    is_known = mark is not None and mark.source == source.identity and mark.revision is not None
    watch = polled[source].watch._replace(is_known=is_known)
    if not source.is_filtered:
        return watch
    # All sources of a Pipeline share what its status may hold.
    share = MOST_REFS // max(1, sum(item.is_filtered for item in polled))
    return watch._replace(
        name=f"{view.uid}/{source.stage}/{source.action}",
        refs=mark.refs if mark and is_known else None,
        most_refs=share,
    )
