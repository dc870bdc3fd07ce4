"""The laws that hold at any moment of a story.

They are checked after each step, and after each write of a pass: the process may die behind any.
"""

from __future__ import annotations

from typing import Any

from penstock.api.kinds.run import PipelineRunStatus
from penstock.api.status.executions import ActionStatus
from penstock.engine import states
from penstock.engine.pods.metadata import stage_label
from tests.unit.engine.simulator import Cluster, rows_of

KNOWN = {
    kind: {(change.before, change.after) for change in getattr(states, kind)}
    for kind in ("RUN", "STAGE", "ACTION")
}


class Laws:
    """What must be true of a cluster, and what was true of it before."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.rows: dict[str, Any] = {}
        self.before: dict[str, str] = {}
        self.changes: set[tuple[str, str, str]] = set()
        """Kind, state before and state after of each change that was seen."""

    def check(self) -> None:
        """Assert every law that holds at any moment."""
        cluster = self.cluster
        assert not cluster.created_without_row, "a Job was created before its try stood in a status"
        assert all(count == 1 for count in cluster.effects.values()), "a try had its effect twice"
        holders: dict[str, str] = {}
        for name, run in cluster.runs.items():
            self._check_rows(name, run.status)
            self._check_changes(name, run.status)
            if run.status.execution_mode == "PARALLEL":
                continue
            for state in run.status.stage_states:
                if state.status.is_open:
                    assert holders.setdefault(state.stage_name, name) == name, (
                        "two runs hold one stage"
                    )
                    self._check_lock(run.uid, state.stage_name)

    def _check_rows(self, name: str, status: PipelineRunStatus) -> None:
        """An ended try never changes, no try disappears, and an ended run
        comes back by a new attempt alone.
        """
        found = rows_of(status)
        for where, row in found.items():
            if row.status is not ActionStatus.IN_PROGRESS:
                assert self.rows.setdefault(f"{name}/{where}", row) == row, (
                    "a try changed after its end"
                )
        key = f"{name} {status.execution_attempt or 1}"
        if status.state and status.state.is_terminal:
            what = (status.state, status.completion_time, len(found))
            assert self.rows.setdefault(key, what) == what, "a run changed after its end"
        elif key in self.rows:
            raise AssertionError("a run came back without a new attempt")

    def _check_changes(self, name: str, status: PipelineRunStatus) -> None:
        """Only what the tables of states know may happen between two writes of a status."""
        now = {("RUN", name): status.state or ""}
        now |= {
            ("STAGE", f"{name}/{state.stage_name}"): state.status for state in status.stage_states
        }
        now |= {("ACTION", f"{name}/{where}"): row.status for where, row in rows_of(status).items()}
        for (kind, key), state in now.items():
            before = self.before.get(key, "")
            if state != before:
                self.before[key] = state
                self.changes.add((kind, before, state))
                is_known = (before, state) in KNOWN[kind]
                assert is_known, (
                    f"{kind.lower()} {key} changed from {before or 'nothing'} to {state}"
                )

    def _check_lock(self, run_uid: str, name: str) -> None:
        parallel = {
            run.uid for run in self.cluster.runs.values() if run.status.execution_mode == "PARALLEL"
        }
        for pod in self.cluster.pods.values():
            is_foreign = pod.stage_label == stage_label(name) and pod.run_uid not in {
                run_uid,
                *parallel,
            }
            assert not (is_foreign and pod.may_run), (
                "a run is in a stage where containers of another still run"
            )
