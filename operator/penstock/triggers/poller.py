"""One pass over one Pipeline: look at the sources that are due, decide, and act in order."""

import asyncio
import logging
import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from penstock.api.document import Document
from penstock.api.kinds.pipeline import Action
from penstock.api.meta import TRIGGERS
from penstock.cluster.client import Client
from penstock.cluster.errors import AlreadyExistsError, NotFoundError
from penstock.cluster.resources import PIPELINES, RUNS
from penstock.triggers.decide import (
    Failed,
    Key,
    NewRun,
    Observation,
    Source,
    SourceDecision,
    StartedRun,
    State,
    View,
    decide,
    pause_s,
    recovered,
)
from penstock.triggers.metrics import TriggerMetrics
from penstock.triggers.pipelines import (
    pipeline_uid_of,
    readable,
    run_of,
    source_actions,
    status_of,
    view_of,
)
from penstock.triggers.sources.base import SourceProvider

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Schedule:
    """When to look at a Pipeline's sources next; in memory alone, so a restart looks at once."""

    due: dict[tuple[Key, str], float] = field(default_factory=dict)
    failures: dict[Key, int] = field(default_factory=dict)

    def make_due(self, keys: Iterable[Key]) -> None:
        """Let some sources be looked at in the next pass."""
        wanted = set(keys)
        self.due = {entry: 0.0 if entry[0] in wanted else when for entry, when in self.due.items()}


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

    async def run(
        self, document: Document, schedule: Schedule, started: list[StartedRun]
    ) -> tuple[Document, float | None]:
        """Return the Pipeline after the pass, and the seconds to the next look.

        None means to look at its next event.
        """
        found = readable(document)
        if found is None:
            return document, None
        view = await self._with_owner(document["metadata"]["namespace"], view_of(document, *found))
        polled = self._polled(source_actions(found[0]))
        known = recovered(view, started)
        due = self._due(schedule, polled)
        if not view.is_settled or due or known != view.state or self._is_stale(view.state, polled):
            observed = await self._look(
                document["metadata"]["namespace"], {s: polled[s] for s in due}
            )
            view, before = replace(view, state=known), view.state
            decision = decide(view, list(polled), observed, int(time.time()))
            document = await self._carry_out(document, view, decision, before, started)
            # After the write: until then this list alone knows what was started.
            started.clear()
            self._plan_next(schedule, due, observed)
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

    def _polled(
        self, actions: Iterable[tuple[str, str, Action]]
    ) -> dict[Source, tuple[SourceProvider, Action]]:
        found = {}
        for stage, name, action in actions:
            provider = self._providers.get(name)
            identity = provider.identity(action.configuration) if provider else None
            if provider and identity:
                found[Source(stage, action.name, identity)] = (provider, action)
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
        self, namespace: str, sources: Mapping[Source, tuple[SourceProvider, Action]]
    ) -> dict[Key, Observation]:
        looks = (
            provider.look(namespace, action.configuration) for provider, action in sources.values()
        )
        observed = await asyncio.gather(*looks)
        for observation in observed:
            self._metrics.looks.labels("failed" if isinstance(observation, Failed) else "ok").inc()
        return {source.key: seen for source, seen in zip(sources, observed, strict=True)}

    def _plan_next(
        self, schedule: Schedule, due: Iterable[Source], observed: Mapping[Key, Observation]
    ) -> None:
        for source in due:
            failed = isinstance(observed[source.key], Failed)
            failures = schedule.failures.get(source.key, 0) + 1 if failed else 0
            schedule.failures[source.key] = failures
            chance = random.random()  # noqa: S311 — jitter
            schedule.due[source.key, source.identity] = time.monotonic() + pause_s(
                self._interval, failures, chance
            )

    async def _carry_out(
        self,
        document: Document,
        view: View,
        decision: SourceDecision,
        before: State,
        started: list[StartedRun],
    ) -> Document:
        """Remember, create, remember; a created run has started, even if not remembered now."""
        # Where no run follows, the second write says it all.
        if decision.runs and decision.first != before:
            document = await self._remember(document, decision.first)
            before = decision.first
        for run in decision.runs:
            await self._create(document["metadata"]["namespace"], view, run)
            started.append(StartedRun(view.uid, run.key, run.revision, run.sequence))
        return (
            await self._remember(document, decision.then) if decision.then != before else document
        )

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
