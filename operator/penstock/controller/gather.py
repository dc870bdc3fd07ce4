"""Gathers everything about one pipeline from the cache into a Snapshot.

It makes no requests and no decisions.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from penstock.actions.git.hosts.connections import ConnectionObject
from penstock.api.document import Document
from penstock.api.kinds.pipeline import ArtifactStore
from penstock.cluster.resources import (
    ACTION_TYPES,
    APPROVALS,
    BUILD_PROJECTS,
    CONNECTIONS,
    JOBS,
    PIPELINES,
    PODS,
    REVISIONS,
    RUNS,
    TRANSITIONS,
)
from penstock.controller.action_types import types_seen
from penstock.controller.cache.budget import TOO_MUCH
from penstock.controller.cache.cache import Cache
from penstock.controller.cache.identity import PipelineKey
from penstock.controller.parsing import (
    approval_of,
    cluster_type,
    connection_of,
    ended_of,
    frozen_of,
    has_ended,
    namespaced_type,
    pipeline_of,
    pipeline_status_of,
    project_of,
    run_of,
    target_of,
    transition_of,
)
from penstock.controller.refusals import Refusals
from penstock.engine.cleanup.history import frozen_objects_of
from penstock.engine.objects.action_types import ActionTypes, is_custom, types_of
from penstock.engine.objects.build_projects import BuildProjectObject
from penstock.engine.objects.workloads import job_of, pod_of
from penstock.engine.pods.revisions import is_frozen_object
from penstock.engine.snapshot import (
    NOTHING_LIVE,
    EndedRun,
    Live,
    PipelineObject,
    RunObject,
    Snapshot,
)

T = TypeVar("T")
Runs = tuple[RunObject, ...]


class Gatherer:
    """Builds snapshots. An object is parsed only once while the cache holds the same document."""

    def __init__(
        self, cache: Cache, refusals: Refusals, default_store: ArtifactStore | None
    ) -> None:
        self._cache, self._refusals, self._default_store = cache, refusals, default_store
        self._parsed: dict[str, tuple[Document, object]] = {}
        self._typed: dict[str, tuple[PipelineObject, ActionTypes, PipelineObject]] = {}
        cache.when_forgotten = self._forget

    def snapshot(
        self,
        key: PipelineKey,
        *,
        is_pipeline_absent: bool = False,
        live: Live = NOTHING_LIVE,
        gone_runs: frozenset[str] = frozenset(),
        pipeline_status_written: datetime | None = None,
    ) -> Snapshot:
        """Return a Snapshot of a pipeline from the cache.

        The keywords are facts that only live requests can tell.
        """
        namespace, name = key
        document = self._cache.get(PIPELINES, namespace, name)
        runs, ended, late = self._runs(key)
        targets = self._targets(key, runs)
        types = self._types(namespace)
        return Snapshot(
            namespace=namespace,
            name=name,
            pipeline=self._with_types(self._once(document, self._pipeline), types)
            if document
            else None,
            is_pipeline_absent=is_pipeline_absent,
            runs=runs,
            ended=ended,
            late=late,
            targets=targets,
            action_types=types,
            build_projects=self._build_projects(namespace),
            connections=self.connections(namespace),
            **self._revisions(key, runs, (*late, *targets)),
            **self._awaited(key),
            **self._deleted((*runs, *late)),
            live=live,
            refused=self._refusals.of(namespace),
            gone_runs=gone_runs,
            pipeline_status_written=pipeline_status_written,
        )

    def _awaited(self, key: PipelineKey) -> dict[str, Any]:
        """Return the parts of a snapshot that its runs wait for: Jobs, pods, people's decisions."""
        return {
            "jobs": tuple(self._once(item, job_of) for item in self._cache.of(JOBS, key)),
            "pods": tuple(self._once(item, pod_of) for item in self._cache.of(PODS, key)),
            "transitions": tuple(
                self._once(item, transition_of) for item in self._cache.of(TRANSITIONS, key)
            ),
            "approvals": tuple(
                self._once(item, approval_of) for item in self._cache.of(APPROVALS, key)
            ),
        }

    def _deleted(self, runs: Runs) -> dict[str, Any]:
        """Return the parts of a snapshot that tell what was seen of the runs and is deleted."""
        deleted = self._cache.deleted({run.uid for run in runs})
        return {"seen": deleted.names, "deleted_jobs": deleted.jobs, "podless": deleted.podless}

    def _build_projects(self, namespace: str) -> dict[str, BuildProjectObject]:
        documents = self._cache.in_namespace(BUILD_PROJECTS, namespace)
        return {
            document["metadata"]["name"]: self._once(document, project_of) for document in documents
        }

    def connections(self, namespace: str) -> tuple[ConnectionObject, ...]:
        """Return the Connections of a namespace."""
        documents = self._cache.in_namespace(CONNECTIONS, namespace)
        return tuple(self._once(document, connection_of) for document in documents)

    def _revisions(self, key: PipelineKey, runs: Runs, others: Runs) -> dict[str, Any]:
        """Return the parts of a snapshot that ControllerRevisions hold.

        Nothing new starts for ``others``.
        """
        named = {run.status.revision for run in (*runs, *others) if run.status.revision}
        revisions = {item["metadata"]["name"]: item for item in self._cache.of(REVISIONS, key)}
        objects = {name for name, item in revisions.items() if is_frozen_object(item["data"])}
        started_with = objects & set(frozen_objects_of(run.status for run in runs))
        thawed = {name: self._once(revisions[name], frozen_of) for name in started_with}
        return {
            "revisions": {name: revisions[name]["data"] for name in named if name in revisions},
            "known_revisions": {
                n: int(item["revision"]) for n, item in revisions.items() if n not in objects
            },
            "known_objects": {name: int(revisions[name]["revision"]) for name in objects},
            "frozen_projects": {n: item.project for n, item in thawed.items() if item.project},
            "frozen_types": {n: item.declared for n, item in thawed.items() if item.declared},
            "frozen_connections": {
                n: item.connection for n, item in thawed.items() if item.connection
            },
        }

    def _runs(
        self, key: PipelineKey
    ) -> tuple[tuple[RunObject, ...], tuple[EndedRun, ...], tuple[RunObject, ...]]:
        """Return the runs under way in order of creation, the ended ones, and those too late.

        The last are those asked for too late.
        """
        unfinished: list[RunObject] = []
        ended: list[EndedRun] = []
        late: list[RunObject] = []
        for document in self._cache.of(RUNS, key):
            # A run that was deleted before it began does not begin any more.
            if "deletionTimestamp" in document["metadata"] and "state" not in document.get(
                "status", {}
            ):
                continue
            if has_ended(document):
                ended.append(ended_of(document))
                # Something was asked of the ended run since: a retry, or a stop that comes too
                # late.
                if document["metadata"]["generation"] > document["status"].get(
                    "observedGeneration", 0
                ):
                    late.append(self._once(document, run_of))
            else:
                unfinished.append(self._once(document, run_of))
        unfinished.sort(key=lambda run: run.arrival)
        return tuple(unfinished), tuple(ended), tuple(late)

    def _targets(self, key: PipelineKey, runs: Iterable[RunObject]) -> tuple[RunObject, ...]:
        """Return the ended runs that runs not yet begun shall roll back to."""
        wanted = {
            target for run in runs if run.status.state is None and (target := target_of(run.spec))
        }
        ended = (item for item in self._cache.of(RUNS, key) if wanted and has_ended(item))
        return tuple(
            self._once(d, run_of)
            for d in ended
            if {d["metadata"]["name"], d["metadata"]["uid"]} & wanted
        )

    def _types(self, namespace: str) -> ActionTypes:
        """Return the ActionTypes that a namespace sees."""
        return types_of(
            self._once(document, namespaced_type if resource is ACTION_TYPES else cluster_type)
            for resource, document in types_seen(self._cache, namespace)
        )

    def _with_types(self, pipeline: PipelineObject, types: ActionTypes) -> PipelineObject:
        """Return a pipeline that sees the types, the same object for as long as both are."""
        if pipeline.spec is None or not any(
            is_custom(a) for stage in pipeline.spec.stages for a in stage.actions
        ):
            return pipeline
        known = self._typed.get(pipeline.uid)
        if known is None or known[0] is not pipeline or known[1] != types:
            known = pipeline, types, replace(pipeline, action_types=types)
            self._typed[pipeline.uid] = known
        return known[2]

    def _pipeline(self, document: Document) -> PipelineObject:
        """Read a Pipeline; if only its status changed, reuse the values computed from its spec."""
        uid, generation = document["metadata"]["uid"], document["metadata"]["generation"]
        known = self._parsed.get(uid, (None, None))[1]
        # The API server counts a new generation for each change of the spec, and for nothing else.
        is_same = (
            isinstance(known, PipelineObject)
            and known.generation == generation
            and known.spec is not None
        )
        if isinstance(known, PipelineObject) and is_same and TOO_MUCH not in document:
            return known.with_status(pipeline_status_of(document))
        return pipeline_of(document, self._default_store)

    def _forget(self, uid: str) -> None:
        """Drop what was read of an object that is gone: it holds all that was written there."""
        self._parsed.pop(uid, None)
        self._typed.pop(uid, None)

    def _once(self, document: Document, parse: Callable[[Document], T]) -> T:
        uid = document["metadata"]["uid"]
        known, parsed = self._parsed.get(uid, (None, None))
        # The cache holds a new document after each change, so the same one was not changed.
        if known is not document:
            parsed = parse(document)
            self._parsed[uid] = (document, parsed)
        return parsed  # type: ignore[return-value]
