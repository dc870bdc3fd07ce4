"""What triggers decide: the table of first looks and changes, and the laws
under crashes at every point.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.api.status.pipeline_status import ROOM_FOR_REFS, PipelineStatus, SourceState
from penstock.controller.status_writes import merge_patch
from penstock.triggers.decide import (
    NewRun,
    SourceDecision,
    StartedRun,
    State,
    View,
    creation_run,
    decide,
    due_at,
    recovered,
)
from penstock.triggers.observations import (
    CLOSED_PULL_REQUEST,
    Failed,
    Observation,
    RefsSeen,
    Seen,
    Source,
    Taken,
)
from tests.support.properties import examples

SOURCE = Source("Source", "Fetch", "main@host")
NEW = View("web", "uid-1", wants_start=True, last_run=None, state=State())


def mark(revision: str | None, sequence: int = 7, **fields: str) -> SourceState:
    values = {"stage_name": "Source", "action_name": "Fetch", "source": "main@host", **fields}
    return SourceState.model_validate({**values, "revision": revision, "sequence": sequence})


def known(revision: str | None, sequence: int = 7, **fields: str) -> View:
    return replace(NEW, last_run="web-1", state=State(True, (mark(revision, sequence, **fields),)))


def decided(view: View, observation: Observation) -> SourceDecision:
    return decide(view, [SOURCE], {SOURCE.key: observation}, 100)


@pytest.mark.parametrize(
    ("view", "observation", "triggers", "then"),
    [
        (NEW, Seen("A"), ["CreatePipeline"], (True, "A", 100, None)),
        (NEW, Failed("down"), ["CreatePipeline"], (True, "", 100, "down")),
        (NEW, Seen("", "no branch"), ["CreatePipeline"], (True, "", 100, "no branch")),
        (replace(NEW, wants_start=False), Seen("A"), [], (False, "A", 100, None)),
        (replace(NEW, wants_start=False), Failed("down"), [], (False, None, 100, "down")),
        (replace(NEW, wants_start=False), Seen("", "no"), [], (False, "", 100, "no")),
        (replace(NEW, last_run="by-hand"), Seen("A"), [], (False, "A", 100, None)),
        (
            replace(NEW, last_run=creation_run(NEW).name),
            Seen("A"),
            ["CreatePipeline"],
            (True, "A", 100, None),
        ),
        (known("A"), Seen("A"), [], (True, "A", 7, None)),
        (known("A", last_error="down"), Seen("A"), [], (True, "A", 7, None)),
        (known("A"), Seen("B"), ["PollForSourceChanges"], (True, "B", 8, None)),
        (known("A"), Failed("down"), [], (True, "A", 7, "down")),
        (known("A"), Seen("", "gone"), [], (True, "A", 7, "gone")),
        (known(""), Seen("A"), ["PollForSourceChanges"], (True, "A", 8, None)),
        (known(None), Seen("A"), [], (True, "A", 7, None)),
        (known(None), Seen("", "no"), [], (True, "", 7, "no")),
        (known("A", source="another"), Seen("B"), [], (True, "B", 7, None)),
        (known("A", source="another"), Failed("down"), [], (True, None, 7, "down")),
    ],
)
def test_table_of_looks(
    view: View,
    observation: Observation,
    triggers: list[str],
    then: tuple[bool, str | None, int, str | None],
) -> None:
    decision = decided(view, observation)
    found = decision.then.mark(SOURCE.key)
    assert found is not None
    assert [run.trigger for run in decision.runs] == triggers
    assert (decision.then.started, found.revision, found.sequence, found.last_error) == then


@pytest.mark.parametrize(
    ("last_run", "of", "is_started"),
    [
        ("by-hand", "uid-1", False),
        ("by-hand", "", False),  # Not yet admitted: it may be this Pipeline's.
        ("web-old", "uid-0", True),
        (creation_run(replace(NEW, uid="uid-0")).name, "uid-0", True),
        (creation_run(NEW).name, "uid-1", True),
        (None, "", True),
    ],
)
def test_bug_18_pipeline_made_anew_starts_its_first_run_whatever_the_old_ones_run_does(
    last_run: str | None, of: str, is_started: bool
) -> None:
    decision = decided(replace(NEW, last_run=last_run, last_run_of=of), Seen("A"))
    assert [run.name for run in decision.runs] == ([creation_run(NEW).name] if is_started else [])
    assert decision.then.started is is_started


def test_bug_18_what_was_decided_or_is_not_wanted_stays_whosever_the_last_run_is() -> None:
    old = replace(NEW, last_run="web-old", last_run_of="uid-0")
    assert not decided(replace(old, wants_start=False), Seen("A")).runs
    assert not decided(replace(old, state=State(started=False)), Seen("A")).runs
    assert not decided(replace(old, state=State(started=True)), Seen("A")).runs


def test_oracle_o_01_valid_pipeline_starts_its_first_run_at_creation() -> None:
    (run,) = decided(NEW, Seen("A")).runs
    assert (run.trigger, run.detail) == ("CreatePipeline", "pipeline web created")


def test_deciding_again_names_the_same_run_and_back_and_forth_names_three() -> None:
    assert decided(known("A"), Seen("B")) == decided(known("A"), Seen("B"))
    names, view = set(), known("A")
    for revision in ("B", "A", "B"):
        decision = decided(view, Seen(revision))
        names |= {run.name for run in decision.runs}
        view = replace(view, state=decision.then)
    assert len(names) == 3
    other = replace(known("A"), uid="uid-2")
    assert decided(other, Seen("B")).runs[0].name not in names


def test_source_that_was_not_looked_at_stays_and_one_that_is_not_polled_is_forgotten() -> None:
    view = known("A")
    assert decide(view, [SOURCE], {}, 1).then == view.state
    assert decide(view, [], {}, 1).then == State(True, ())


def test_each_of_two_changed_sources_starts_a_run() -> None:
    other = Source("Source", "Docs", "docs@host")
    view = replace(NEW, state=State(True, (mark("A"), mark("X").model_copy(update={"action_name": "Docs", "source": "docs@host"}))))  # noqa: E501  # fmt: skip
    decision = decide(view, [SOURCE, other], {SOURCE.key: Seen("B"), other.key: Seen("Y")}, 1)
    assert [run.detail for run in decision.runs] == [
        "source Fetch changed to B",
        "source Docs changed to Y",
    ]


@dataclass
class World:
    """A repository, a Pipeline's status and its runs; a crash ends a pass after so many effects."""

    revision: str = "A"
    state: State = field(default_factory=State)
    runs: dict[str, tuple[NewRun, str]] = field(default_factory=dict)
    listed: list[StartedRun] = field(default_factory=list)
    pushes: int = 0
    first_look_failed: bool = False

    def push(self, revision: str) -> None:
        self.pushes += revision != self.revision
        self.revision = revision

    def look(self, *, fails: bool, effects: int | None) -> None:
        self.first_look_failed |= fails and self.state.started is None
        names = list(self.runs)
        view = replace(NEW, last_run=names[-1] if names else None, state=self.state)
        view = replace(view, state=recovered(view, self.listed))
        decision = decided(view, Failed("down") if fails else Seen(self.revision))
        steps: list[State | NewRun] = [
            *([decision.first] if decision.runs else []),
            *decision.runs,
            decision.then,
        ]
        for step in steps[:effects]:
            if isinstance(step, State):
                self.state = step
            else:
                self.runs.setdefault(step.name, (step, self.revision))
        if effects is not None and effects < len(steps):
            self.restart()

    def restart(self) -> None:
        self.listed = [
            StartedRun("uid-1", r.key, r.revision, r.sequence) for r, _ in self.runs.values()
        ]


OPERATION = st.one_of(
    st.sampled_from("ABC").map(lambda revision: ("push", revision, None)),
    st.tuples(st.just("look"), st.booleans(), st.one_of(st.none(), st.integers(0, 3))),
)


@examples(400)
@example([("look", True, 1), ("look", False, 3), ("look", True, None)])
@example([("look", False, 1), ("push", "B", None), ("look", True, None), ("push", "A", None)])
@given(st.lists(OPERATION, max_size=25))
def test_no_change_is_lost_and_none_starts_two_runs_wherever_triggers_die(
    operations: list[tuple[str, Any, int | None]],
) -> None:
    world = World()
    for kind, what, effects in operations:
        if kind == "push":
            world.push(what)
        else:
            world.look(fails=what, effects=effects)
    for _ in range(2):
        world.look(fails=False, effects=None)
    started = list(world.runs.values())
    polled = [run for run, _ in started if run.trigger == "PollForSourceChanges"]

    assert started[-1][1] == world.revision, (
        "the newest run does not have the newest revision: a change was lost"
    )
    assert len(polled) <= world.pushes + world.first_look_failed
    assert len(started) - len(polled) <= 1, (
        "creation starts one run at most, none where a change was faster"
    )
    settled, count = world.state, len(world.runs)
    world.look(fails=False, effects=None)
    assert (world.state, len(world.runs)) == (settled, count), (
        "a look that sees nothing new does nothing"
    )


@given(
    st.floats(0, 1e7),
    st.sampled_from([1.0, 60.0, 3600.0]),
    st.integers(0, 400),
    st.text(max_size=9),
)
def test_sources_of_one_repository_are_due_together_and_within_the_interval(
    now: float, interval: float, failures: int, repository: str
) -> None:
    due = due_at(now, interval, failures, repository)
    longest = min(interval * 2.0 ** min(failures, 16), max(interval, 600.0))
    assert now + longest - interval - 1e-3 <= due <= now + longest + 1e-3
    # Whoever looks a little later is due at the same moment, or at the next one.
    later = due_at(now + interval / 7, interval, failures, repository)
    assert min(abs(later - due), abs(later - due - interval)) < 1e-3


def test_repositories_are_due_at_moments_of_their_own() -> None:
    assert len({due_at(0.0, 60.0, 0, f"repository {number}") for number in range(100)}) > 80


def test_controller_never_names_what_triggers_write() -> None:
    status = PipelineStatus(
        observed_generation=1, sources=(mark("A"), mark("")), started_on_create=True
    )
    read = PipelineStatus.model_validate(status.to_dict())
    patch = merge_patch(
        read.to_dict(),
        read.model_copy(update={"observed_generation": 2, "last_run": "r"}).to_dict(),
    )
    assert read.sources == status.sources
    assert patch == {"observedGeneration": 2, "lastRun": "r"}


def test_x_21_an_edit_starts_one_run_per_version_where_the_pipeline_asks_for_it() -> None:
    asked = replace(known("A"), wants_restart=True)
    seen_first = decided(asked, Seen("A"))
    assert (seen_first.runs, seen_first.then.restarted) == ((), 1)

    edited = replace(asked, version=3, state=seen_first.then)
    restarted = decided(edited, Seen("A"))
    assert [(run.trigger, run.detail) for run in restarted.runs] == [
        ("StartPipelineExecution", "restartExecutionOnUpdate: version 3 of pipeline web")
    ]
    assert decided(edited, Seen("A")).runs == restarted.runs, "deciding again names the same run"
    assert decided(replace(edited, state=restarted.then), Seen("A")).runs == ()
    assert (
        decided(replace(edited, version=4, state=restarted.then), Seen("A")).runs[0].name
        != restarted.runs[0].name
    )


def test_edit_starts_nothing_unless_asked_and_what_came_before_the_question_does_not_count() -> (
    None
):
    edited = replace(known("A"), version=3)
    assert decided(edited, Seen("A")).then.restarted is None
    assert decided(replace(edited, wants_restart=True), Seen("A")).runs == ()
    asked_before = replace(edited, state=replace(edited.state, restarted=2))
    assert decided(asked_before, Seen("A")).runs == ()


# ---- sources that a trigger's filters watch

FILTERED = Source("Source", "Fetch", "filters", "WebhookV2", is_filtered=True)
MAIN, DEV, TAG = "refs/heads/main", "refs/heads/dev", "refs/tags/v1"


def watching(refs: dict[str, str], sequence: int = 7) -> View:
    remembered = mark("", sequence, source="filters").model_copy(update={"refs": refs})
    return replace(NEW, last_run="web-1", state=State(True, (remembered,)))


def of_refs(view: View, observation: Observation) -> SourceDecision:
    return decide(view, [FILTERED], {FILTERED.key: observation}, 100)


def refs_of(decision: SourceDecision) -> dict[str, str]:
    found = decision.then.mark(FILTERED.key)
    assert found is not None
    return found.refs


def seen(*starting: str, undecided: tuple[str, ...] = (), **refs: str) -> RefsSeen:
    names = {"main": MAIN, "dev": DEV, "v1": TAG}
    given = {names[name]: commit for name, commit in refs.items()}
    return RefsSeen(given, taking(given, starting), frozenset(undecided))


def taking(refs: Mapping[str, str], starting: Iterable[str]) -> dict[str, Taken]:
    return {
        ref: Taken(refs.get(ref, "Z"), ref, f"{ref} changed to {refs.get(ref)}") for ref in starting
    }


def test_g_06_first_look_at_all_branches_is_the_baseline() -> None:
    decision = of_refs(NEW, seen(MAIN, DEV, main="A", dev="B"))
    assert [run.trigger for run in decision.runs] == ["CreatePipeline"]
    assert refs_of(decision) == {MAIN: "A", DEV: "B"}
    empty = of_refs(NEW, seen())
    pushed = of_refs(replace(NEW, state=empty.then), seen(TAG, v1="C"))
    assert [run.ref for run in pushed.runs] == [TAG], "nothing was seen, and that counts"


def test_first_look_at_all_branches_that_failed_is_no_baseline() -> None:
    failed = of_refs(NEW, Failed("down"))
    assert [run.trigger for run in failed.runs] == ["CreatePipeline"]
    later = of_refs(replace(NEW, state=failed.then), seen(MAIN, DEV, main="A", dev="B"))
    assert later.runs == ()
    assert refs_of(later) == {MAIN: "A", DEV: "B"}


def test_g_09_each_branch_that_was_pushed_to_starts_a_run_of_its_commit() -> None:
    decision = of_refs(watching({MAIN: "A", DEV: "B"}), seen(MAIN, TAG, main="A2", dev="B", v1="C"))
    assert [(r.trigger, r.ref, r.revision, r.sequence) for r in decision.runs] == [
        ("WebhookV2", MAIN, "A2", 8),
        ("WebhookV2", TAG, "C", 9),
    ]
    assert refs_of(decision) == {MAIN: "A2", DEV: "B", TAG: "C"}


def test_change_that_the_filters_do_not_take_is_remembered_and_starts_nothing() -> None:
    decision = of_refs(watching({MAIN: "A"}), seen(main="A2"))
    assert decision.runs == ()
    assert refs_of(decision) == {MAIN: "A2"}


def test_status_takes_in_no_more_branches_than_it_has_room_for() -> None:
    many = {f"refs/heads/{number}": "A" for number in range(ROOM_FOR_REFS)}
    forged = StartedRun("uid-1", FILTERED.key, "B", 8, "refs/heads/new")
    found = recovered(watching(many), [forged]).mark(FILTERED.key)
    assert found is not None
    assert (found.refs, found.sequence) == (many, 8)


def test_undecided_change_stays_as_it_was() -> None:
    view = watching({MAIN: "A", DEV: "B"})
    decision = of_refs(view, seen(MAIN, undecided=(MAIN, TAG), main="A2", v1="C"))
    assert decision.runs == ()
    assert refs_of(decision) == {MAIN: "A"}
    again = of_refs(replace(view, state=decision.then), seen(DEV, MAIN, main="A2", dev="B"))
    assert [run.ref for run in again.runs] == [DEV, MAIN]


def test_filters_that_are_changed_begin_anew() -> None:
    view = watching({MAIN: "A"})
    other = replace(FILTERED, identity="other filters")
    decision = decide(view, [other], {other.key: seen(MAIN, main="A2", dev="B")}, 100)
    assert decision.runs == ()
    assert refs_of(decision) == {MAIN: "A2", DEV: "B"}


@dataclass
class Repository:
    """Branches and tags, a Pipeline's status and its runs; a crash ends a look."""

    refs: dict[str, str] = field(default_factory=lambda: {MAIN: "A"})
    state: State = field(default_factory=lambda: watching({MAIN: "A"}).state)
    runs: dict[str, NewRun] = field(default_factory=dict)
    listed: list[StartedRun] = field(default_factory=list)
    pushes: int = 0

    def push(self, ref: str, commit: str) -> None:
        """Push a commit, or delete the ref."""
        if not commit:
            self.refs.pop(ref, None)
        elif self.refs.get(ref) != commit:
            self.pushes += 1
            self.refs[ref] = commit

    def look(self, *, fails: bool, effects: int | None) -> None:
        view = replace(watching({}), state=self.state)
        view = replace(view, state=recovered(view, self.listed))
        known = view.state.mark(FILTERED.key)
        assert known is not None
        changed = [ref for ref in self.refs if known.refs.get(ref) != self.refs[ref]]
        seen = RefsSeen(dict(self.refs), taking(self.refs, changed))
        observed = Failed("down") if fails else seen
        decision = of_refs(view, observed)
        steps: list[State | NewRun] = [decision.first, *decision.runs, decision.then]
        for step in steps[:effects]:
            if isinstance(step, State):
                self.state = step
            else:
                self.runs.setdefault(step.name, step)
        if effects is not None and effects < len(steps):
            self.listed = [
                StartedRun("uid-1", run.key, run.revision, run.sequence, run.ref)
                for run in self.runs.values()
            ]


PUSH = st.tuples(
    st.just("push"), st.sampled_from([MAIN, DEV, TAG]), st.sampled_from(["A", "B", ""])
)
LOOK = st.tuples(st.just("look"), st.booleans(), st.one_of(st.none(), st.integers(0, 4)))


@examples(400)
@given(st.lists(st.one_of(PUSH, LOOK), max_size=25))
def test_no_push_is_lost_and_none_starts_two_runs_where_filters_watch_many_branches(
    operations: list[tuple[str, Any, Any]],
) -> None:
    repository = Repository()
    for kind, what, how in operations:
        if kind == "push":
            repository.push(what, how)
        else:
            repository.look(fails=what, effects=how)
    repository.look(fails=False, effects=None)
    runs = sorted(repository.runs.values(), key=lambda run: run.sequence)
    newest = {MAIN: "A"} | {run.ref: run.revision for run in runs}
    found = repository.state.mark(FILTERED.key)
    assert found is not None
    assert found.refs == repository.refs
    assert {ref: newest[ref] for ref in repository.refs} == repository.refs, "a push was lost"
    assert len(runs) <= repository.pushes, "a push has started two runs"
    assert len({run.sequence for run in runs}) == len(runs)


# ---- pull requests, which are remembered beside the branches

PULL = "refs/pull/7"


def pull_seen(old: str, new: str, commit: str) -> SourceDecision:
    taken = Taken(commit, "refs/heads/feature", f"pull request 7 at {commit}")
    observation = RefsSeen({PULL: new}, {PULL: taken})
    return of_refs(watching({PULL: old} if old else {}), observation)


@pytest.mark.parametrize(
    ("old", "new", "remembered"),
    [("", "A", {PULL: "A"}), ("A", "B", {PULL: "B"}), ("A", CLOSED_PULL_REQUEST, {})],
    ids=["opened", "updated", "closed"],
)
def test_oracle_o_31_event_of_a_pull_request_starts_a_run_of_its_head(
    old: str, new: str, remembered: dict[str, str]
) -> None:
    decision = pull_seen(old, new, "C")
    (run,) = decision.runs
    assert (run.ref, run.revision, run.detail) == (PULL, new, "pull request 7 at C")
    assert run.taken is not None
    assert (run.taken.commit, run.taken.ref) == ("C", "refs/heads/feature")
    assert refs_of(decision) == remembered


def test_pull_request_that_a_crash_left_closed_starts_no_second_run() -> None:
    (run,) = pull_seen("A", CLOSED_PULL_REQUEST, "A").runs
    started = [StartedRun("uid-1", run.key, run.revision, run.sequence, run.ref)]
    before = watching({PULL: "A"})
    view = replace(before, state=recovered(before, started))
    known = view.state.mark(FILTERED.key)
    assert known is not None
    assert known.refs == {PULL: CLOSED_PULL_REQUEST}
    decision = of_refs(view, RefsSeen({PULL: CLOSED_PULL_REQUEST}, taking({PULL: "A"}, [PULL])))
    assert decision.runs == ()
    assert refs_of(decision) == {}


def test_pull_request_that_is_opened_again_starts_a_run_of_its_own() -> None:
    closed = pull_seen("A", CLOSED_PULL_REQUEST, "A")
    view = replace(watching({}), state=closed.then)
    taken = {PULL: Taken("A", "refs/heads/feature", "pull request 7 opened")}
    (run,) = of_refs(view, RefsSeen({PULL: "A"}, taken)).runs
    assert run.name != closed.runs[0].name
