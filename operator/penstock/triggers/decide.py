"""Decides which runs a look at sources starts, and what to remember; pure: ``now`` is passed in.

The laws (G-06, X-20, X-21), whatever dies between two effects:
- A baseline is remembered before the creation's run exists: what is pushed after it is a change.
- A change is remembered after its run exists. The run's name is made of the
  pipeline's uid, the source, the old and the new revision and the sequence:
  deciding again names the same run, and A, B, A makes three. (Under filters, the
  name holds the branch or tag, too.)
- What started a run but was not remembered is taken over from the run itself (`recovered`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from penstock.api.names import child_name, hash_of
from penstock.api.status.pipeline_status import ROOM_FOR_REFS, SourceState
from penstock.triggers.observations import (
    CLOSED_PULL_REQUEST,
    CREATE_PIPELINE,
    START,
    Failed,
    Key,
    Observation,
    RefsSeen,
    Seen,
    Source,
    Taken,
)

# A source that cannot be reached is asked every ten minutes at least.
LONGEST_PAUSE_S = 600.0


@dataclass(frozen=True, slots=True)
class State:
    """Status's memory: whether creation started a run (None: not yet decided), and the sources.

    ``restarted`` is the version up to which edits were looked at, None while they start nothing.
    """

    started: bool | None = None
    marks: tuple[SourceState, ...] = ()
    restarted: int | None = None

    def mark(self, key: Key) -> SourceState | None:
        """Return what is remembered of a source."""
        return next(
            (mark for mark in self.marks if (mark.stage_name, mark.action_name) == key), None
        )


@dataclass(frozen=True, slots=True)
class View:
    """A Pipeline as far as triggers look at it.

    ``last_run_of`` is the uid of the Pipeline that the last run executes,
    empty where the run does not tell.
    """

    name: str
    uid: str
    wants_start: bool
    last_run: str | None
    state: State
    version: int = 1
    wants_restart: bool = False
    last_run_of: str = ""

    @property
    def doubts(self) -> bool:
        """Whether the last run's owner matters: a Pipeline made anew meets the old one's runs."""
        is_others = self.last_run not in (None, "", creation_run(self).name)
        return self.state.started is None and self.wants_start and is_others

    @property
    def looked_at(self) -> int | None:
        """What status shall remember of the edits that were looked at."""
        return self.version if self.wants_restart else None

    @property
    def is_settled(self) -> bool:
        """Whether creation and edits are settled and only the sources are left to look at."""
        return self.state.started is not None and self.state.restarted == self.looked_at


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to create; that one of its name exists is success."""

    name: str
    trigger: str
    detail: str
    key: Key | None = None
    revision: str = ""
    sequence: int = 0
    ref: str = ""
    """The branch, tag or pull request whose change a filter has taken, as what it is remembered."""
    taken: Taken | None = None


@dataclass(frozen=True, slots=True)
class SourceDecision:
    """Effects in their order: remember ``first``, create ``runs``, remember ``then``."""

    first: State
    runs: tuple[NewRun, ...]
    then: State


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run that triggers created, by its annotations; a Pipeline's creation run has no ``key``."""

    pipeline_uid: str
    key: Key | None = None
    revision: str = ""
    sequence: int = 0
    ref: str = ""


def decide(
    view: View, sources: Iterable[Source], observed: Mapping[Key, Observation], now: int
) -> SourceDecision:
    """Return what to do about what was seen; sources without an observation stay as they are."""
    first: list[SourceState] = []
    then: list[SourceState] = []
    runs: list[NewRun] = []
    creation = _creation(view)
    for source in sources:
        before, observation = view.state.mark(source.key), observed.get(source.key)
        if observation is None:
            first += [before] if before else []
            then += [before] if before else []
            continue
        baseline = _baseline(before, source, observation, creation is not None, now)
        mark, changes = _change(view, source, baseline, observation)
        first.append(baseline)
        then.append(mark)
        runs += changes
    # Last: what a crash leaves of a change is read back from its run, so that run comes first.
    runs = [*runs, *(run for run in (_restart(view), creation) if run)]
    # Decided once: an edit of the Pipeline later on starts no creation run.
    started = view.state.started if view.state.started is not None else creation is not None
    return SourceDecision(
        State(view.state.started, tuple(first), view.state.restarted),
        tuple(runs),
        State(started, tuple(then), view.looked_at),
    )


def recovered(view: View, started: Iterable[StartedRun]) -> State:
    """Return the state with runs created but not yet remembered (a crash came in between)."""
    marks = {(mark.stage_name, mark.action_name): mark for mark in view.state.marks}
    own = [run for run in started if run.pipeline_uid == view.uid]
    for run in sorted(own, key=lambda run: run.sequence):
        mark = marks.get(run.key) if run.key else None
        # In the order of their sequence: each run leads one step on, and older ones say nothing
        # new.
        if run.key and mark and run.sequence == mark.sequence + 1:
            marks[run.key] = _advanced(mark, run)
    is_created = view.state.started is None and any(run.key is None for run in own)
    return replace(
        view.state, started=True if is_created else view.state.started, marks=tuple(marks.values())
    )


def _advanced(mark: SourceState, run: StartedRun) -> SourceState:
    if not run.ref:
        update: dict[str, Any] = {"revision": run.revision}
    elif run.ref in mark.refs or len(mark.refs) < ROOM_FOR_REFS:
        update = {"refs": {**mark.refs, run.ref: run.revision}}
    # Whoever may write runs may write many: a status has room for so many.
    else:
        update = {}
    return mark.model_copy(update={**update, "sequence": run.sequence})


def due_at(now: float, interval: float, failures: int, repository: str) -> float:
    """Return when to look again: at most an interval from now, in seconds, while all is well.

    Sources of one ``repository`` are due at the same moments, so that one look serves all of them;
    those of others are due at others.
    """
    # Sixteen doublings pass the longest pause; without a bound the power overflows in the end.
    latest = now + min(interval * 2.0 ** min(failures, 16), max(interval, LONGEST_PAUSE_S))
    phase = int(hash_of(repository), 16) % 1_000 / 1_000 * interval
    return latest - (latest - phase) % interval


def creation_run(view: View) -> NewRun:
    """Return the first run of a Pipeline (X-21)."""
    return NewRun(
        child_name(view.name, view.uid, CREATE_PIPELINE),
        CREATE_PIPELINE,
        f"pipeline {view.name} created",
    )


def _restart(view: View) -> NewRun | None:
    """Return the run that an edit asks for (X-21): one per version, none for the first one seen."""
    before = view.state.restarted
    if not view.wants_restart or before is None or view.version <= before:
        return None
    name = child_name(view.name, view.uid, "UpdatePipeline", view.version)
    return NewRun(
        name, START, f"restartExecutionOnUpdate: version {view.version} of pipeline {view.name}"
    )


def _creation(view: View) -> NewRun | None:
    """None where creation was dealt with, is not to start a run, or somebody was faster."""
    if view.state.started is not None or not view.wants_start:
        return None
    is_overtaken = view.doubts and view.last_run_of in ("", view.uid)
    return None if is_overtaken else creation_run(view)


def _baseline(
    before: SourceState | None,
    source: Source,
    observation: Observation,
    is_creating: bool,
    now: int,
) -> SourceState:
    is_blind = is_creating and isinstance(observation, Failed) and not source.is_filtered
    if before and before.source == source.identity and not is_blind:
        return before
    # A failed first look at a new pipeline counts as empty: what its first run misses starts
    # another one. Filters watch many branches, of which the first run has but one: there the first
    # look that works is the baseline, as one run for each of them would be many.
    revision, refs = "" if is_creating and not source.is_filtered else None, {}
    if isinstance(observation, Seen):
        revision = observation.revision
    elif isinstance(observation, RefsSeen):
        revision, refs = "", _kept(observation.refs)
    return SourceState(
        stage_name=source.stage,
        action_name=source.action,
        source=source.identity,
        revision=revision,
        refs=refs,
        sequence=before.sequence if before else now,
    )


def _change(
    view: View, source: Source, mark: SourceState, observation: Observation
) -> tuple[SourceState, list[NewRun]]:
    looked = mark.model_copy(update={"last_error": observation.error or None})
    if isinstance(observation, Failed):
        return looked, []
    if isinstance(observation, RefsSeen):
        return _changes(view, source, looked, observation)
    new, old = observation.revision, mark.revision
    # The first look of all had failed, so that this one is the baseline.
    if old is None:
        return looked.model_copy(update={"revision": new}), []
    if not new or new == old:
        return looked, []
    sequence = mark.sequence + 1
    name = child_name(view.name, view.uid, *source.key, old, new, sequence)
    detail = f"source {source.action} changed to {new}"
    run = NewRun(name, source.trigger, detail, source.key, new, sequence)
    return looked.model_copy(update={"revision": new, "sequence": sequence}), [run]


def _changes(
    view: View, source: Source, mark: SourceState, seen: RefsSeen
) -> tuple[SourceState, list[NewRun]]:
    """Return what is remembered of what a trigger watches, and a run for each change it takes."""
    if mark.revision is None:
        return mark.model_copy(update={"revision": "", "refs": _kept(seen.refs)}), []
    # What is undecided stays as it was.
    refs = {ref: mark.refs.get(ref) if ref in seen.undecided else commit
            for ref, commit in seen.refs.items()}  # fmt: skip
    runs, sequence = [], mark.sequence
    for ref in sorted(seen.starting.keys() - seen.undecided):
        old, new, taken = mark.refs.get(ref, ""), seen.refs[ref], seen.starting[ref]
        if old == new:
            continue
        sequence += 1
        name = child_name(view.name, view.uid, *source.key, ref, old, new, sequence)
        runs.append(
            NewRun(name, source.trigger, taken.detail, source.key, new, sequence, ref, taken)
        )
    return mark.model_copy(update={"refs": _kept(refs), "sequence": sequence}), runs


def _kept(refs: Mapping[str, str | None]) -> dict[str, str]:
    """Return what is remembered: a closed pull request ends with the run that it starts."""
    return {ref: commit for ref, commit in refs.items() if commit and commit != CLOSED_PULL_REQUEST}
