"""What one pass decides from: plain values, nothing else. What it decides is in `commands.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from penstock.actions.declaration import Declaration
from penstock.actions.git.hosts.connections import ConnectionObject
from penstock.api.kinds.approval import ApprovalSpec, ApprovalStatus
from penstock.api.kinds.build_project import BuildProjectSpec
from penstock.api.kinds.connection import ConnectionSpec
from penstock.api.kinds.pipeline import ArtifactStore, PipelineSpec
from penstock.api.kinds.run import PipelineRunSpec, PipelineRunStatus
from penstock.api.kinds.stop import StopRequest, StopTrigger
from penstock.api.meta import PIPELINE_RUN
from penstock.api.status.pipeline_status import PipelineStatus
from penstock.api.text import shorten
from penstock.engine.commands import EmitEvent
from penstock.engine.definition.findings import Findings, Problem
from penstock.engine.definition.frozen import Definition, definition_of
from penstock.engine.definition.revisions import revision_name
from penstock.engine.definition.validation import validate
from penstock.engine.lazy import lazy
from penstock.engine.objects.action_types import ActionTypes
from penstock.engine.objects.build_projects import BuildProjectObject
from penstock.engine.objects.transitions import TransitionObject
from penstock.engine.objects.workloads import JobObject, PodObject

_OF_THE_SPEC = ("findings", "definition", "revision")


@dataclass(frozen=True)
class PipelineObject:
    """A Pipeline and its ActionTypes. ``spec`` is None if unreadable; ``unreadable`` says why.

    What follows from these alone is computed once per object, as many passes see the same one.
    """

    namespace: str
    name: str
    uid: str
    generation: int
    status: PipelineStatus
    spec: PipelineSpec | None
    unreadable: str = ""
    default_store: ArtifactStore | None = None
    action_types: ActionTypes = field(default_factory=ActionTypes)

    def with_status(self, status: PipelineStatus) -> "PipelineObject":
        """Return the same Pipeline with another status.

        Values that follow from its spec are not computed again.
        """
        changed = replace(self, status=status)
        # `lazy` keeps what it has computed in the object's own dictionary.
        changed.__dict__.update(
            {name: self.__dict__[name] for name in _OF_THE_SPEC if name in self.__dict__}
        )
        return changed

    @lazy
    def findings(self) -> Findings:
        """Everything that is to be said about the definition."""
        if self.spec is None:
            return Findings()
        try:
            return validate(
                self.spec, self.action_types, has_default_store=self.default_store is not None
            )
        except Exception as error:
            # A judge that fails is a fault of ours; it is this one definition's problem all the
            # same.
            what = (
                f"this definition could not be judged ({type(error).__name__}: {error}); please "
                f"report it"
            )
            return Findings((Problem("spec", shorten(what, 500)),))

    @lazy
    def definition(self) -> Definition | None:
        """What a run admitted now executes, None while the definition is not valid."""
        if self.spec is None or self.findings.problems:
            return None
        return definition_of(self.spec, self.default_store)

    @lazy
    def revision(self) -> str | None:
        """The name of the ControllerRevision of that definition."""
        return revision_name(self.name, self.uid, self.definition) if self.definition else None


@dataclass(frozen=True, slots=True)
class RunObject:
    """A PipelineRun. ``spec`` is None where it cannot be read; ``unreadable`` then says why."""

    namespace: str
    name: str
    uid: str
    generation: int
    created: datetime
    status: PipelineRunStatus
    spec: PipelineRunSpec | None
    unreadable: str = ""
    is_deleted: bool = False
    """Whether it is being deleted, and kept by somebody's finalizer."""

    @property
    def arrival(self) -> tuple[str, datetime, str]:
        """Return the sort key of runs: the time of admission.

        Creation counts in seconds, and by another clock.
        """
        # A tilde comes behind every digit: a run that is not admitted yet arrives last.
        return self.status.start_time or "~", self.created, self.name

    def event(self, reason: str, message: str, *, is_warning: bool = False) -> "EmitEvent":
        """Return the command that records an Event about this run."""
        return EmitEvent(
            PIPELINE_RUN, self.name, self.uid, reason, shorten(message, 1000), is_warning
        )

    def stop_under(self, status: PipelineRunStatus) -> StopRequest | None:
        """Return the stop in its spec, unless a retry has resumed the run since.

        The status tells that.
        """
        request, trigger = (self.spec.stop if self.spec else None), status.stop_trigger
        is_over = request and trigger and trigger.resumed_time and is_trigger_of(trigger, request)
        return None if is_over else request


def is_trigger_of(trigger: StopTrigger, request: StopRequest) -> bool:
    """Whether a status follows this very request; only what tells two of them apart is compared."""
    asked = (bool(request.abandon), request.after_retries or 0)
    return asked == (trigger.abandon, trigger.after_retries or 0)


@dataclass(frozen=True, slots=True)
class EndedStage:
    """A stage that an ended run had entered, and what became of it."""

    entered: str
    status: str
    completed: str = ""


@dataclass(frozen=True, slots=True)
class ApprovalObject:
    """An Approval. ``spec`` is None if it cannot be read.

    ``spec_hash`` is the hash of all but the decisions.
    """

    name: str
    uid: str
    generation: int
    owner_uid: str
    spec_hash: str
    is_deleted: bool
    spec: ApprovalSpec | None
    status: ApprovalStatus


@dataclass(frozen=True, slots=True)
class EndedRun:
    """What is still known of a run that has ended."""

    name: str
    uid: str
    created: datetime
    completed: str
    is_succeeded: bool
    revision: str = ""
    stages: Mapping[str, EndedStage] = field(default_factory=dict)
    is_rollback: bool = False
    is_declared: bool = False
    """Whether a tool that declares objects, or a person, says that the run is kept.

    The tool would make a deleted run anew.
    """


NAME_TAKEN = "NameTaken"


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal of the API server.

    If it is not ``is_final``, it may be accepted later, as when a quota has room.
    """

    reason: str
    message: str
    at: datetime
    is_final: bool = False


def status_refusal(run_uid: str) -> str:
    """Return the name under which the refusal of a run's status is known."""
    return f"status/{run_uid}"


class Live(NamedTuple):
    """The live reads of the API server for this very snapshot.

    The cache alone does not prove that something is gone.

    ``jobs`` are Jobs, read with their pods, each with the last warning among their Events, or an
    empty text. ``approvals`` are Approvals, each with whether the admission policy guards it.
    """

    jobs: Mapping[str, str] = MappingProxyType({})
    approvals: Mapping[str, bool] = MappingProxyType({})


NOTHING_LIVE = Live()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything about one pipeline, as the cache has it.

    ``revisions`` are the data of the ControllerRevisions that unfinished runs name,
    ``frozen_projects`` the BuildProjects, ``frozen_connections`` the Connections and
    ``frozen_types`` the ActionTypes that their tries were started with; ``known_revisions`` and
    ``known_objects`` (of these kinds) are all there are.
    ``late`` are those of the ended runs whose spec was changed since the last write: a stop comes
    too late, a retry may resume the run. ``targets`` are the ended runs that runs not yet begun
    shall roll back to. ``seen`` are Jobs and Approvals that existed once. ``refused`` are the
    objects that the server refused, by name; a status by "status/" and the run's uid.
    ``deleted_jobs`` are the uids of Jobs that existed once, ``podless`` the Jobs of whose pods one
    is gone from sight, as an event told. ``gone_runs`` are uids of runs that a live GET did not
    find, though the Pipeline's status says they are under way. ``is_pipeline_absent``: a live GET
    did not find the pipeline.
    """

    namespace: str
    name: str
    pipeline: PipelineObject | None
    is_pipeline_absent: bool = False
    runs: tuple[RunObject, ...] = ()
    ended: tuple[EndedRun, ...] = ()
    late: tuple[RunObject, ...] = ()
    targets: tuple[RunObject, ...] = ()
    revisions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    known_revisions: Mapping[str, int] = field(default_factory=dict)
    build_projects: Mapping[str, BuildProjectObject] = field(default_factory=dict)
    frozen_projects: Mapping[str, BuildProjectSpec] = field(default_factory=dict)
    connections: tuple[ConnectionObject, ...] = ()
    frozen_connections: Mapping[str, ConnectionSpec] = field(default_factory=dict)
    action_types: ActionTypes = field(default_factory=ActionTypes)
    frozen_types: Mapping[str, Declaration] = field(default_factory=dict)
    known_objects: Mapping[str, int] = field(default_factory=dict)
    jobs: tuple[JobObject, ...] = ()
    pods: tuple[PodObject, ...] = ()
    live: Live = NOTHING_LIVE
    seen: frozenset[str] = frozenset()
    transitions: tuple[TransitionObject, ...] = ()
    approvals: tuple[ApprovalObject, ...] = ()
    refused: Mapping[str, Refused] = field(default_factory=dict)
    deleted_jobs: frozenset[str] = frozenset()
    podless: frozenset[str] = frozenset()
    gone_runs: frozenset[str] = frozenset()
    pipeline_status_written: datetime | None = None

    @property
    def is_blind(self) -> bool:
        """Return whether the Pipeline or one of its StageTransitions is unreadable.

        Then no run enters a stage.
        """
        is_unread = self.pipeline is not None and self.pipeline.spec is None
        return is_unread or any(transition.spec is None for transition in self.transitions)
