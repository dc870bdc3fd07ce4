"""Gathers everything about one pipeline from the cache into a Snapshot. No requests, no decisions."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal, TypeVar

from pydantic import BaseModel, ValidationError

from penstock.actions.declaration import Declaration
from penstock.api.action_type import ActionTypeSpec
from penstock.api.approval import ApprovalSpec, ApprovalStatus
from penstock.api.build_project import BuildProjectSpec
from penstock.api.pipeline import ArtifactStore, PipelineSpec
from penstock.api.pipeline_status import PipelineStatus
from penstock.api.rollback import ExecutionType
from penstock.api.run import PipelineRunSpec, PipelineRunStatus, RunState
from penstock.api.transition import StageTransitionSpec
from penstock.cluster.resources import (
    ACTION_TYPES,
    APPROVALS,
    BUILD_PROJECTS,
    JOBS,
    PIPELINES,
    PODS,
    REVISIONS,
    RUNS,
    TRANSITIONS,
)
from penstock.controller.action_types import types_seen
from penstock.controller.cache import Cache, Document, PipelineKey
from penstock.engine.action_types import ActionTypeObject, ActionTypes, is_custom, thaw_type, types_of
from penstock.engine.approval_objects import frozen_hash
from penstock.engine.observed import job_of, parse_time, pod_of
from penstock.engine.projects import BuildProjectObject, is_frozen_object, thaw
from penstock.engine.retention import frozen_objects_of
from penstock.engine.snapshot import ApprovalObject, EndedRun, EndedStage, PipelineObject, RunObject, Snapshot
from penstock.engine.transitions import TransitionObject

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

_PARSED_LIMIT = 5_000


class Gatherer:
    """Builds snapshots; an object is parsed once for as long as the cache holds the same document."""

    def __init__(self, cache: Cache, default_store: ArtifactStore | None) -> None:
        self._cache, self._default_store = cache, default_store
        self._parsed: dict[str, tuple[Document, object]] = {}
        self._typed: dict[str, tuple[PipelineObject, ActionTypes, PipelineObject]] = {}

    def snapshot(
        self,
        key: PipelineKey,
        *,
        is_pipeline_absent: bool = False,
        confirmed: Mapping[str, str] | None = None,
        guarded: Mapping[str, bool] | None = None,
        pipeline_status_written: datetime | None = None,
    ) -> Snapshot:
        """Return what the cache knows of a pipeline; the keywords are what only live requests can tell."""
        namespace, name = key
        document = self._cache.get(PIPELINES, namespace, name)
        runs, ended, late = self._runs(key)
        targets = self._targets(key, runs)
        named = {run.status.revision for run in (*runs, *late, *targets) if run.status.revision}
        revisions = {item["metadata"]["name"]: item for item in self._cache.of(REVISIONS, key)}
        objects = {name for name, item in revisions.items() if is_frozen_object(item["data"])}
        started_with = objects & set(frozen_objects_of(run.status for run in runs))
        types = self._types(namespace)
        return Snapshot(
            namespace=namespace,
            name=name,
            pipeline=self._with_types(self._once(document, self._pipeline), types) if document else None,
            is_pipeline_absent=is_pipeline_absent,
            runs=runs,
            ended=ended,
            late=late,
            targets=targets,
            revisions={name: revisions[name]["data"] for name in named if name in revisions},
            known_revisions={n: int(item["revision"]) for n, item in revisions.items() if n not in objects},
            known_objects={name: int(revisions[name]["revision"]) for name in objects},
            action_types=types,
            build_projects={
                item["metadata"]["name"]: self._once(item, _project_of)
                for item in self._cache.in_namespace(BUILD_PROJECTS, namespace)
            },
            frozen_projects={n: spec for n in started_with if (spec := self._once(revisions[n], _frozen)[0])},
            frozen_types={n: declared for n in started_with if (declared := self._once(revisions[n], _frozen)[1])},
            jobs=tuple(self._once(item, job_of) for item in self._cache.of(JOBS, key)),
            pods=tuple(self._once(item, pod_of) for item in self._cache.of(PODS, key)),
            confirmed=confirmed or {},
            transitions=tuple(self._once(item, _transition_of) for item in self._cache.of(TRANSITIONS, key)),
            approvals=tuple(self._once(item, _approval_of) for item in self._cache.of(APPROVALS, key)),
            guarded=guarded or {},
            refused=self._cache.refused(namespace),
            seen=self._cache.deleted_names({run.uid for run in (*runs, *late)}),
            pipeline_status_written=pipeline_status_written,
        )

    def _runs(self, key: PipelineKey) -> tuple[tuple[RunObject, ...], tuple[EndedRun, ...], tuple[RunObject, ...]]:
        """Return the runs under way in the order of their creation, those that ended, and those asked too late."""
        unfinished: list[RunObject] = []
        ended: list[EndedRun] = []
        late: list[RunObject] = []
        for document in self._cache.of(RUNS, key):
            if "deletionTimestamp" in document["metadata"]:
                continue
            if _has_ended(document):
                ended.append(_ended_of(document))
                if document["metadata"]["generation"] > document["status"].get("observedGeneration", 0):
                    late.append(self._once(document, _run_of))
            else:
                unfinished.append(self._once(document, _run_of))
        unfinished.sort(key=lambda run: run.arrival)
        return tuple(unfinished), tuple(ended), tuple(late)

    def _targets(self, key: PipelineKey, runs: Iterable[RunObject]) -> tuple[RunObject, ...]:
        """Return the ended runs that runs not yet begun shall roll back to."""
        wanted = {target for run in runs if run.status.state is None and (target := _target_of(run.spec))}
        ended = (item for item in self._cache.of(RUNS, key) if wanted and _has_ended(item))
        return tuple(self._once(d, _run_of) for d in ended if {d["metadata"]["name"], d["metadata"]["uid"]} & wanted)

    def _types(self, namespace: str) -> ActionTypes:
        """Return the ActionTypes that a namespace sees."""
        return types_of(
            self._once(document, _namespaced_type if resource is ACTION_TYPES else _cluster_type)
            for resource, document in types_seen(self._cache, namespace)
        )

    def _with_types(self, pipeline: PipelineObject, types: ActionTypes) -> PipelineObject:
        """Return a pipeline that sees the types, the same object for as long as both are."""
        if pipeline.spec is None or not any(is_custom(a) for stage in pipeline.spec.stages for a in stage.actions):
            return pipeline
        known = self._typed.get(pipeline.uid)
        if known is None or known[0] is not pipeline or known[1] != types:
            known = pipeline, types, replace(pipeline, action_types=types)
            self._typed[pipeline.uid] = known
        return known[2]

    def _pipeline(self, document: Document) -> PipelineObject:
        return _pipeline_of(document, self._default_store)

    def _once(self, document: Document, parse: Callable[[Document], T]) -> T:
        uid = document["metadata"]["uid"]
        known, parsed = self._parsed.get(uid, (None, None))
        if known is not document:
            parsed = parse(document)
            if len(self._parsed) >= _PARSED_LIMIT:
                self._parsed.clear()
                self._typed.clear()
            self._parsed[uid] = (document, parsed)
        return parsed  # type: ignore[return-value]


def _target_of(spec: PipelineRunSpec | None) -> str | None:
    wanted = spec.rollback if spec else None
    return (wanted.target_run or wanted.target_pipeline_execution_id) if wanted else None


def _has_ended(document: Document) -> bool:
    state = document.get("status", {}).get("state")
    try:
        return state is not None and RunState(state).is_terminal
    except ValueError:
        return False


def _ended_of(document: Document) -> EndedRun:
    status = document["status"]
    return EndedRun(
        name=document["metadata"]["name"],
        uid=document["metadata"]["uid"],
        created=parse_time(document["metadata"]["creationTimestamp"]) or datetime.fromtimestamp(0, UTC),
        completed=status.get("completionTime", ""),
        is_succeeded=status["state"] == RunState.SUCCEEDED,
        revision=status.get("revision", ""),
        is_rollback=status.get("executionType") == ExecutionType.ROLLBACK,
        stages={
            stage["stageName"]: EndedStage(stage["startTime"], stage["status"], stage.get("completionTime", ""))
            for stage in status.get("stageStates", ())
        },
    )


def _project_of(document: Document) -> BuildProjectObject:
    spec, unreadable = _read(BuildProjectSpec, document.get("spec", {}), "spec")
    meta = document["metadata"]
    return BuildProjectObject(meta["name"], meta["uid"], meta["generation"], spec, unreadable)


def _frozen(document: Document) -> tuple[BuildProjectSpec | None, Declaration | None]:
    return thaw(document["data"]), thaw_type(document["data"])


def _namespaced_type(document: Document) -> ActionTypeObject:
    return _type_of("ActionType", document)


def _cluster_type(document: Document) -> ActionTypeObject:
    return _type_of("ClusterActionType", document)


def _type_of(kind: Literal["ActionType", "ClusterActionType"], document: Document) -> ActionTypeObject:
    spec, unreadable = _read(ActionTypeSpec, document.get("spec", {}), "spec")
    meta = document["metadata"]
    return ActionTypeObject(kind, meta["name"], meta["uid"], meta["generation"], spec, unreadable)


def _pipeline_of(document: Document, default_store: ArtifactStore | None) -> PipelineObject:
    spec, unreadable = _read(PipelineSpec, document.get("spec", {}), "spec")
    status, _ = _read(PipelineStatus, document.get("status", {}), "status")
    meta = document["metadata"]
    return PipelineObject(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        generation=meta["generation"],
        status=status or PipelineStatus(),
        spec=spec,
        unreadable=unreadable,
        default_store=default_store,
    )


def _run_of(document: Document) -> RunObject:
    spec, unreadable = _read(PipelineRunSpec, document.get("spec", {}), "spec")
    status, broken = _read(PipelineRunStatus, document.get("status", {}), "status")
    meta = document["metadata"]
    return RunObject(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        generation=meta["generation"],
        created=parse_time(meta["creationTimestamp"]) or datetime.fromtimestamp(0, UTC),
        status=status or PipelineRunStatus(),
        spec=spec if not broken else None,
        unreadable=unreadable or broken,
    )


def _transition_of(document: Document) -> TransitionObject:
    spec, unreadable = _read(StageTransitionSpec, document.get("spec", {}), "spec")
    return TransitionObject(document["metadata"]["name"], spec, unreadable)


def _approval_of(document: Document) -> ApprovalObject:
    spec, _ = _read(ApprovalSpec, document.get("spec", {}), "spec")
    status, _ = _read(ApprovalStatus, document.get("status", {}), "status")
    meta = document["metadata"]
    owners = [owner["uid"] for owner in meta.get("ownerReferences", ()) if owner.get("controller")]
    return ApprovalObject(
        name=meta["name"],
        uid=meta["uid"],
        generation=meta["generation"],
        owner_uid=owners[0] if owners else "",
        spec_hash=frozen_hash(document.get("spec", {})),
        is_deleted="deletionTimestamp" in meta,
        spec=spec,
        status=status or ApprovalStatus(),
    )


def _read(model: type[M], document: Document, path: str) -> tuple[M | None, str]:
    """Return the model, or why there is none: one malformed object never stops another."""
    try:
        return model.model_validate(document), ""
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        return None, "; ".join(f"{path}{_path(item['loc'])}: {item['msg']}" for item in details[:5])


def _path(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
