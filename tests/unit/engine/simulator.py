"""A simulator: the engine, run by an operator that dies, in a cluster that is
late, busy and unkind.

A story is a list of steps drawn from a seed. The operator sees the cluster through a cache that
lags behind, object by object; its writes fail where its cache is stale, and it may die after any of
them. Laws are checked after each step (`test_simulator.py`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from penstock.api.contract.contracts import ActionResult
from penstock.api.kinds.approval import Decision
from penstock.api.kinds.run import PipelineRunStatus
from penstock.api.status.executions import ActionExecution
from penstock.engine.commands import CreateApproval, CreateJob
from penstock.engine.objects.workloads import Container
from penstock.engine.run.condition_lookup import states_of_rules
from tests.unit.engine.simulation import World

_LIVE_ROUNDS = 5


@dataclass
class Cluster(World):
    """The truth: objects as the API server has them, and a kubelet that a story leads.

    ``effects`` counts, for each try, how often it had an outside effect;
    ``pod_number`` makes pods' names.
    """

    effects: Counter[str] = field(default_factory=Counter)
    pod_number: int = 0
    created_without_row: list[str] = field(default_factory=list)

    def start(self, name: str = "run-1", **spec: Any) -> str:
        """Create a run; the server knows its time of creation to the second."""
        super().start(name, **spec)
        self.runs[name] = replace(self.runs[name], created=self.now.replace(microsecond=0))
        return name

    def create_job(self, manifest: CreateJob) -> None:
        """Create a Job unless one of its name exists."""
        name = manifest.manifest["metadata"]["name"]
        if name not in {
            row.job_name for run in self.runs.values() for row in rows_of(run.status).values()
        }:
            self.created_without_row.append(name)
        is_new = name not in self.jobs
        self._carry_out(manifest)
        if is_new:
            # Another Job than one of that name before.
            self.pod_number += 1
            self.jobs[name] = replace(self.jobs[name], uid=f"job-{name}-{self.pod_number}")

    def remove_job(self, name: str, uid: str = "") -> None:
        """Delete a Job; its pods are told to end, and end in their own time."""
        job = self.jobs.get(name)
        if job is None or (uid and job.uid != uid):
            return
        del self.jobs[name]
        self.deleted_jobs.add(name)
        self.deleted_uids.add(job.uid)
        for pod in [pod for pod in self.pods.values() if pod.job == name]:
            self.pods[pod.name] = replace(pod, is_deleted=True)

    def create_approval(self, command: CreateApproval) -> None:
        """Create an Approval unless one of its name exists."""
        self._carry_out(command)

    def open_approvals(self) -> list[str]:
        """Return the Approvals that nobody has decided on."""
        return sorted(
            name for name, item in self.approvals.items() if item.status.state in (None, "Pending")
        )

    def answer(self, name: str, decision: str) -> None:
        """Decide on an Approval, as the admission policy lets somebody once."""
        approval = self.approvals[name]
        assert approval.spec is not None
        made = Decision.model_validate(
            {"user": f"user-{len(approval.spec.decisions)}", "decision": decision}
        )
        spec = approval.spec.model_copy(update={"decisions": (*approval.spec.decisions, made)})
        self.approvals[name] = replace(approval, spec=spec, generation=approval.generation + 1)

    # ---- what the kubelet does

    def start_pod(self, job: str) -> None:
        """Start a Job's pod; its agent claims the try, and has its effect
        unless another pod had it.
        """
        self.pod_number += 1
        name = f"{job}-{self.pod_number}"
        self.pods[name] = self.new_pod(job, name=name, uid=f"uid-{name}")
        if self.effects[job]:
            self.end(
                name,
                ActionResult(
                    1, "Lost", pod_uid=f"uid-{name}", code="DuplicateExecution", message="before"
                ),
            )
        else:
            self.effects[job] += 1

    def end(self, name: str, result: ActionResult | None, *, exit_code: int = 0) -> None:
        """End both containers of a pod; without a result it was killed."""
        pod = self.pods[name]
        message, code = (
            ("", 137)
            if result is None
            else (result.encode() or "", 0 if result.status == "Succeeded" else 1)
        )
        agent = Container(
            is_terminated=True, exit_code=code, message=message, started=self.now, finished=self.now
        )
        action = Container(
            is_terminated=True, exit_code=exit_code, started=self.now, finished=self.now
        )
        containers = {key: agent if key == "agent" else action for key in pod.containers}
        self.pods[name] = replace(pod, containers=containers)

    def finish(self, name: str, *, is_success: bool) -> None:
        """End a pod as its action ends."""
        uid = self.pods[name].uid
        if is_success:
            self.end(name, ActionResult(1, "Succeeded", pod_uid=uid, exit_code=0))
        else:
            failed = ActionResult(
                1, "Failed", pod_uid=uid, code="JobFailed", message="no", exit_code=1
            )
            self.end(name, failed, exit_code=1)

    def end_agent(self, name: str) -> None:
        """End a pod's agent alone, without a word."""
        pod = self.pods[name]
        gone = Container(
            is_terminated=True,
            exit_code=137,
            reason="OOMKilled",
            started=self.now,
            finished=self.now,
        )
        self.pods[name] = replace(pod, containers={**pod.containers, "agent": gone})

    def evict(self, name: str) -> None:
        """Evict a pod: its containers end without a result."""
        self.end(name, None)
        self.pods[name] = replace(
            self.pods[name], phase="Failed", reason="Evicted", message="disk pressure"
        )

    def running(self) -> list[str]:
        """Return the pods whose containers run."""
        return sorted(pod.name for pod in self.pods.values() if pod.may_run)

    def jobs_without_pod(self) -> list[str]:
        """Return the Jobs that have no pod."""
        with_pod = {pod.job for pod in self.pods.values()}
        return sorted(name for name in self.jobs if name not in with_pod)


def rows_of(status: PipelineRunStatus) -> dict[str, ActionExecution]:
    """Return the tries of a run by stage, action, attempt and try."""
    return {
        f"{stage.stage_name}/{action.action_name}/{row.attempt}.{row.try_}": row
        for stage in status.stage_states
        for action in (*stage.action_states, *states_of_rules(stage))
        for row in action.executions
    }
