"""A world for the engine: keeps what plans write, and plays Job controller and kubelet.

It knows nothing of HTTP: statuses are taken over as they are, Jobs become pods, and a test says how
each ends. Everything a plan asks for is recorded in ``history``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from penstock.actions.git.hosts.connections import connection_object
from penstock.api.contract.contracts import ActionRequest, ActionResult, ArtifactLocation
from penstock.api.kinds.action_type import ActionTypeSpec
from penstock.api.kinds.approval import ApprovalSpec, ApprovalStatus, Decision
from penstock.api.kinds.build_project import BuildProjectSpec
from penstock.api.kinds.connection import ConnectionSpec
from penstock.api.kinds.pipeline import ArtifactStore, PipelineSpec
from penstock.api.kinds.retry import RetryRequest
from penstock.api.kinds.run import PipelineRunSpec, PipelineRunStatus
from penstock.api.kinds.stop import StopRequest
from penstock.api.kinds.transition import StageTransitionSpec
from penstock.api.status.condition_states import OverrideRequest, RuleState
from penstock.api.status.executions import ActionExecution
from penstock.api.status.pipeline_status import PipelineStatus
from penstock.engine.commands import (
    CloseApproval,
    Command,
    CreateApproval,
    CreateJob,
    CreateRun,
    DeleteJob,
    DeleteJobsOfRuns,
    DeleteRevision,
    DeleteRun,
    Plan,
)
from penstock.engine.objects.action_types import ActionTypeObject, ActionTypes, thaw_type, types_of
from penstock.engine.objects.build_projects import BuildProjectObject
from penstock.engine.objects.transitions import TransitionObject
from penstock.engine.objects.workloads import Container, JobObject, PodObject, job_of
from penstock.engine.plan import plan_pipeline
from penstock.engine.pods.revisions import is_frozen_object, thaw, thaw_connection
from penstock.engine.settings import Settings
from penstock.engine.snapshot import (
    ApprovalObject,
    EndedRun,
    EndedStage,
    Live,
    PipelineObject,
    Refused,
    RunObject,
    Snapshot,
)
from penstock.engine.tries.approval_objects import frozen_hash

START = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
_BESIDE_STATUS = [f.name for f in fields(PipelineObject) if f.name not in ("status", "spec")]
STORE = ArtifactStore(type="S3", location="artifacts")


def commands_action(name: str, *commands: str, **fields: Any) -> dict[str, Any]:
    """Return a Commands action."""
    type_id = {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"}
    return {
        "name": name,
        "actionTypeId": type_id,
        "commands": list(commands or ("true",)),
        **fields,
    }


def git_action(name: str = "Fetch", output: str = "Source", **fields: Any) -> dict[str, Any]:
    """Return a Git source action."""
    return {
        "name": name,
        "actionTypeId": {
            "category": "Source",
            "owner": "ThirdParty",
            "provider": "Git",
            "version": "1",
        },
        "configuration": {"Url": "http://git/demo.git", "Branch": "main"},
        "outputArtifacts": [{"name": output}],
        **fields,
    }


def s3_action(name: str = "Get", output: str = "Release", **fields: Any) -> dict[str, Any]:
    """Return an S3 source."""
    type_id = {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"}
    return {"name": name, "actionTypeId": type_id, "outputArtifacts": [{"name": output}], **fields}


def build_action(name: str = "Compile", **fields: Any) -> dict[str, Any]:
    """Return a CodeBuild action."""
    return {
        "name": name,
        "actionTypeId": {
            "category": "Build",
            "owner": "AWS",
            "provider": "CodeBuild",
            "version": "1",
        },
        "configuration": {"ProjectName": "web"},
        "inputArtifacts": [{"name": "Source"}],
        **fields,
    }


def deploy_action(name: str = "Apply", artifact: str = "Site", **fields: Any) -> dict[str, Any]:
    """Return a Kubernetes deploy action."""
    return {
        "name": name,
        "actionTypeId": {
            "category": "Deploy",
            "owner": "ThirdParty",
            "provider": "Kubernetes",
            "version": "1",
        },
        "configuration": {"Namespace": "web"},
        "inputArtifacts": [{"name": artifact}],
        **fields,
    }


def stack_action(name: str = "Stack", artifact: str = "Site", **fields: Any) -> dict[str, Any]:
    """Return a CloudFormation deploy action."""
    configuration = {
        "ActionMode": "CREATE_UPDATE",
        "StackName": "shop",
        "TemplatePath": f"{artifact}::template.yaml",
    }
    return {
        "name": name,
        "actionTypeId": {
            "category": "Deploy",
            "owner": "AWS",
            "provider": "CloudFormation",
            "version": "1",
        },
        "configuration": configuration,
        "inputArtifacts": [{"name": artifact}],
        **fields,
    }


def approval_action(name: str = "Ok", **fields: Any) -> dict[str, Any]:
    """Return a manual approval."""
    type_id = {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}
    return {"name": name, "actionTypeId": type_id, **fields}


def stage(name: str, *actions: dict[str, Any]) -> dict[str, Any]:
    """Return a stage."""
    return {"name": name, "actions": list(actions)}


def ended_run(run: RunObject) -> EndedRun:
    """Return what the controller keeps of a run that has ended."""
    status = run.status
    return EndedRun(
        run.name,
        run.uid,
        run.created,
        status.completion_time or "",
        status.state == "Succeeded",
        status.revision or "",
        {
            s.stage_name: EndedStage(s.start_time, s.status, s.completion_time or "")
            for s in status.stage_states
        },
        status.execution_type == "ROLLBACK",
    )


@dataclass
class World:
    """One pipeline with its runs, Jobs and pods, and a clock that tests move."""

    spec: PipelineSpec
    settings: Settings = field(default_factory=Settings)
    now: datetime = START
    pipeline: PipelineObject | None = None
    is_pipeline_absent: bool = False
    runs: dict[str, RunObject] = field(default_factory=dict)
    revisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, JobObject] = field(default_factory=dict)
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)
    pods: dict[str, PodObject] = field(default_factory=dict)
    deleted_jobs: set[str] = field(default_factory=set)
    deleted_uids: set[str] = field(default_factory=set)
    """The uids of deleted Jobs."""
    confirmed: dict[str, str] = field(default_factory=dict)
    warning: str = ""
    history: list[Command] = field(default_factory=list)
    last_plan: Plan = field(default_factory=Plan)
    numbers: int = 0
    build_projects: dict[str, BuildProjectSpec] = field(default_factory=dict)
    connections: dict[str, ConnectionSpec] = field(default_factory=dict)
    action_types: dict[str, ActionTypeSpec] = field(default_factory=dict)
    generations: dict[str, int] = field(default_factory=dict)
    transitions: dict[str, StageTransitionSpec] = field(default_factory=dict)
    approvals: dict[str, ApprovalObject] = field(default_factory=dict)
    is_guarded: bool = True
    """Whether the admission policy of Approvals is there."""
    guarded: dict[str, bool] = field(default_factory=dict)
    refused: dict[str, Refused] = field(default_factory=dict)
    """What the API server refuses, by name."""
    gone_runs: frozenset[str] = frozenset()
    podless: frozenset[str] = frozenset()
    declared: set[str] = field(default_factory=set)
    """Runs that a tool such as Argo CD declares."""
    _typed: PipelineObject | None = None
    do_pods_linger: bool = False
    """Whether the pods of a deleted Job run on until a test ends them."""

    def __post_init__(self) -> None:
        status = PipelineStatus()
        self.pipeline = PipelineObject(
            "team", "web", "pipeline-uid", 1, status, self.spec, default_store=STORE
        )

    @classmethod
    def of(cls, *stages: dict[str, Any], settings: Settings | None = None, **fields: Any) -> World:
        """Return a world with a pipeline of the given stages."""
        return cls(
            PipelineSpec.model_validate({"stages": list(stages), **fields}), settings or Settings()
        )

    def start(self, name: str = "run-1", **spec: Any) -> str:
        """Create a run."""
        self.numbers += 1
        wanted = PipelineRunSpec.model_validate({"pipelineRef": {"name": "web"}} | spec)
        created = self.now + timedelta(milliseconds=self.numbers)
        self.runs[name] = RunObject(
            "team", name, f"uid-{name}", 1, created, PipelineRunStatus(), wanted
        )
        return name

    def stop(self, name: str = "run-1", **request: Any) -> None:
        """Ask a run to stop, as a user's patch of its spec does."""
        run = self.runs[name]
        assert run.spec is not None
        spec = run.spec.model_copy(update={"stop": StopRequest.model_validate(request)})
        self.runs[name] = replace(run, spec=spec, generation=run.generation + 1)

    def switch(self, name: str = "freeze", **spec: Any) -> None:
        """Write a StageTransition."""
        self.transitions[name] = StageTransitionSpec.model_validate({"pipelineName": "web", **spec})

    def retry(
        self, stage_name: str, mode: str = "FAILED_ACTIONS", run: str = "run-1", **request: Any
    ) -> None:
        """Ask for a retry of a stage, as a user's patch of the spec does."""
        before = self.runs[run]
        assert before.spec is not None
        asked = RetryRequest.model_validate({"stageName": stage_name, "retryMode": mode, **request})
        spec = before.spec.model_copy(update={"retries": (*before.spec.retries, asked)})
        self.runs[run] = replace(before, spec=spec, generation=before.generation + 1)

    def override(
        self, stage_name: str, kind: str = "BEFORE_ENTRY", run: str = "run-1", **request: Any
    ) -> None:
        """Ask for a condition to be overridden, as a user's patch of the spec does."""
        before = self.runs[run]
        assert before.spec is not None
        asked = OverrideRequest.model_validate(
            {"stageName": stage_name, "conditionType": kind, **request}
        )
        spec = before.spec.model_copy(update={"overrides": (*before.spec.overrides, asked)})
        self.runs[run] = replace(before, spec=spec, generation=before.generation + 1)

    def rule(
        self, kind: str, name: str, stage_name: str = "Deploy", run: str = "run-1"
    ) -> RuleState:
        """Return what became of a rule."""
        for state in self.runs[run].status.stage_states:
            condition = getattr(state, f"{kind}_condition_state")
            for rule in (
                condition.rule_states if condition and state.stage_name == stage_name else ()
            ):
                if rule.rule_name == name:
                    assert isinstance(rule, RuleState)
                    return rule
        raise AssertionError(f"the run has not come to rule {name}")

    def snapshot(self) -> Snapshot:
        """Return everything there is, as the controller would gather it."""
        ended = {
            n: r for n, r in self.runs.items() if r.status.state and r.status.state.is_terminal
        }
        waiting = sorted(
            (r for n, r in self.runs.items() if n not in ended), key=lambda run: run.arrival
        )
        data = {name: item["data"] for name, item in self.revisions.items()}
        frozen = {name for name in data if is_frozen_object(data[name])}
        return Snapshot(
            namespace="team",
            name="web",
            pipeline=self._typed_pipeline(),
            is_pipeline_absent=self.is_pipeline_absent,
            runs=tuple(waiting),
            ended=tuple(
                replace(ended_run(run), is_declared=run.name in self.declared)
                for run in ended.values()
            ),
            targets=tuple(ended.values()),
            late=tuple(
                run
                for run in ended.values()
                if run.generation > (run.status.observed_generation or 0)
            ),
            revisions={name: data for name, data in data.items() if name not in frozen},
            known_revisions={
                n: item["revision"] for n, item in self.revisions.items() if n not in frozen
            },
            known_objects={name: self.revisions[name]["revision"] for name in frozen},
            frozen_projects={name: spec for name in frozen if (spec := thaw(data[name]))},
            frozen_types={name: declared for name in frozen if (declared := thaw_type(data[name]))},
            frozen_connections={n: kept for n in frozen if (kept := thaw_connection(data[n]))},
            connections=tuple(
                connection_object(
                    {
                        "name": name,
                        "uid": f"uid-{name}",
                        "generation": self.generations.get(name, 1),
                    },
                    spec,
                    "",
                )
                for name, spec in self.connections.items()
            ),
            action_types=self.types(),
            build_projects={
                name: BuildProjectObject(name, f"uid-{name}", self.generations.get(name, 1), spec)
                for name, spec in self.build_projects.items()
            },
            jobs=tuple(self.jobs.values()),
            pods=tuple(self.pods.values()),
            live=Live(self.confirmed, self.guarded),
            transitions=tuple(
                TransitionObject(n, spec) for n, spec in sorted(self.transitions.items())
            ),
            approvals=tuple(self.approvals.values()),
            refused=self.refused,
            seen=frozenset(self.deleted_jobs),
            deleted_jobs=frozenset(self.deleted_uids),
            gone_runs=self.gone_runs,
            podless=self.podless,
        )

    def _typed_pipeline(self) -> PipelineObject | None:
        """Return the Pipeline as the gatherer does: what follows from its spec is computed once."""
        if self.pipeline is None:
            return None
        wanted, known = replace(self.pipeline, action_types=self.types()), self._typed
        same = (getattr(wanted, name) == getattr(known, name) for name in _BESIDE_STATUS)
        if known is None or wanted.spec is not known.spec or not all(same):
            known = wanted
        self._typed = known.with_status(wanted.status)
        return self._typed

    def types(self) -> ActionTypes:
        """Return the ActionTypes that the pipeline sees."""
        return types_of(
            ActionTypeObject("ActionType", name, f"uid-{name}", self.generations.get(name, 1), spec)
            for name, spec in self.action_types.items()
        )

    def plan(self) -> Plan:
        """Plan once, applying nothing."""
        return plan_pipeline(self.snapshot(), self.settings, now=self.now)

    def settle(self) -> Plan:
        """Plan and apply until nothing changes; return the first plan that
        did something, else an empty one.
        """
        first: Plan | None = None
        for _ in range(10):
            plan = self.plan()
            if plan.needs_confirmation:
                # The simulated cache is never late: what it shows is what a live request would
                # answer.
                self.confirmed |= dict.fromkeys(plan.to_confirm, self.warning)
                self.guarded |= dict.fromkeys(plan.approvals_to_confirm, self.is_guarded)
                continue
            self.confirmed, self.guarded = {}, {}
            if plan.is_empty:
                self.last_plan = plan
                return first or plan
            first = first or plan
            self.apply(plan)
        raise AssertionError("the engine does not come to rest")

    def apply(self, plan: Plan) -> None:
        """Take over everything a plan says."""
        for revision in plan.revisions:
            self.revisions[revision["metadata"]["name"]] = dict(revision)
        for name, decided in plan.approval_statuses.items():
            self.approvals[name] = replace(self.approvals[name], status=decided)
        for name, status in plan.run_statuses.items():
            self.runs[name] = replace(self.runs[name], status=status)
        if plan.pipeline_status and self.pipeline:
            self.pipeline = self.pipeline.with_status(plan.pipeline_status)
        for command in plan.commands:
            self.history.append(command)
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        match command:
            case CreateJob(manifest):
                name = manifest["metadata"]["name"]
                if name not in self.jobs:
                    meta = {
                        **manifest["metadata"],
                        "uid": f"job-{name}",
                        "creationTimestamp": self.now.isoformat(),
                    }
                    self.manifests[name] = dict(manifest)
                    self.jobs[name] = job_of({**manifest, "metadata": meta})
            case CreateApproval(manifest):
                self._create_approval(manifest)
            case CloseApproval(name, status):
                self.approvals[name] = replace(self.approvals[name], status=status)
            case CreateRun(manifest):
                if manifest["metadata"]["name"] not in self.runs:
                    self.start(manifest["metadata"]["name"], **manifest["spec"])
            case DeleteJob(name, _):
                self.delete_job(name)
            case DeleteJobsOfRuns(uids):
                for name in [name for name, job in self.jobs.items() if job.run_uid in uids]:
                    self.delete_job(name)
            case DeleteRevision(name):
                self.revisions.pop(name)
            case DeleteRun(name, _):
                self.runs.pop(name, None)

    def _create_approval(self, manifest: Mapping[str, Any]) -> None:
        meta, spec = manifest["metadata"], manifest["spec"]
        if meta["name"] not in self.approvals:
            self.numbers += 1
            self.approvals[meta["name"]] = ApprovalObject(
                name=meta["name"],
                uid=f"approval-{self.numbers}",
                generation=1,
                owner_uid=meta["ownerReferences"][0]["uid"],
                spec_hash=frozen_hash(spec),
                is_deleted=False,
                spec=ApprovalSpec.model_validate(spec),
                status=ApprovalStatus(),
            )

    def approval_of(self, action: str = "Ok", run: str = "run-1") -> ApprovalObject:
        """Return the Approval of an action's latest attempt."""
        execution = self.execution(action, run)
        assert execution is not None
        assert execution.approval is not None
        return self.approvals[execution.approval.name]

    def decide(
        self,
        user: str,
        decision: str,
        comment: str | None = None,
        action: str = "Ok",
        run: str = "run-1",
    ) -> None:
        """Decide, as the admission policy lets somebody."""
        approval = self.approval_of(action, run)
        assert approval.spec is not None
        made = Decision.model_validate({"user": user, "decision": decision, "comment": comment})
        spec = approval.spec.model_copy(update={"decisions": (*approval.spec.decisions, made)})
        self.approvals[approval.name] = replace(
            approval, spec=spec, generation=approval.generation + 1
        )

    def delete_approval(self, action: str = "Ok", run: str = "run-1") -> None:
        """Delete an Approval, as anybody may who has the right to."""
        name = self.approval_of(action, run).name
        del self.approvals[name]
        self.deleted_jobs.add(name)

    def change_pipeline(self, **fields: Any) -> None:
        """Replace the Pipeline by one that differs in the given fields."""
        assert self.pipeline is not None
        self.pipeline = replace(self.pipeline, **fields)

    def edit(self, **fields: Any) -> None:
        """Edit the Pipeline's spec as a user does; a field that is None is taken out."""
        assert self.pipeline is not None and self.pipeline.spec is not None
        changed = {**self.pipeline.spec.to_dict(), **fields}
        spec = PipelineSpec.model_validate(
            {name: value for name, value in changed.items() if value is not None}
        )
        self.change_pipeline(spec=spec, generation=self.pipeline.generation + 1)

    # ---- what the cluster does

    def delete_job(self, name: str) -> None:
        """Delete a Job and its pod at once; a pod that lingers is only told to end."""
        if job := self.jobs.pop(name, None):
            self.deleted_uids.add(job.uid)
        self.deleted_jobs.add(name)
        if self.do_pods_linger and name in self.pods:
            self.pods[name] = replace(self.pods[name], is_deleted=True)
        else:
            self.pods.pop(name, None)

    def run_pod(self, job: str, **fields: Any) -> PodObject:
        """Let a Job's pod run, with the given fields changed."""
        self.pods[job] = self.new_pod(job, **fields)
        return self.pods[job]

    def new_pod(self, job: str, **fields: Any) -> PodObject:
        """Return a pod of a Job whose containers run, with the given fields changed."""
        template = self.manifests[job]["spec"]["template"]
        containers = {
            container["name"]: Container(running_since=self.now)
            for container in template["spec"]["containers"]
        }
        labels = template["metadata"]["labels"]
        pod = PodObject(
            name=f"{job}-x",
            uid=f"pod-{job}",
            job=job,
            run_uid=labels["penstock.dev/run-uid"],
            stage_label=labels["penstock.dev/stage"],
            created=self.now,
            phase="Running",
            reason="",
            message="",
            is_deleted=False,
            containers=containers,
            owner_uid=self.jobs[job].uid if job in self.jobs else f"job-{job}",
        )
        return replace(pod, **fields)

    def end_pod(
        self, job: str, result: ActionResult | str, *, action_code: int = 0, **action: Any
    ) -> None:
        """Let both containers of a Job's pod end: the agent with a result,
        the action with an exit code.
        """
        pod = self.pods.get(job) or self.run_pod(job)
        message = result if isinstance(result, str) else result.encode() or ""
        code = 0 if isinstance(result, ActionResult) and result.status == "Succeeded" else 1
        ended = {
            name: Container(
                is_terminated=True,
                exit_code=action_code,
                started=self.now,
                finished=self.now,
                **action,
            )
            if name == "action"
            else Container(
                is_terminated=True,
                exit_code=code,
                message=message,
                started=self.now,
                finished=self.now,
            )
            for name in pod.containers
        }
        self.pods[job] = replace(pod, containers=ended)

    def succeed(self, job: str, **fields: Any) -> None:
        """Let a Job's pod end well, with the artifacts that its request asked for."""
        request = self.request(job)
        outputs = tuple(
            ArtifactLocation(o.name, f"key/{job}/{o.name}", 10, "00" * 32) for o in request.outputs
        )
        result = ActionResult(1, "Succeeded", pod_uid=f"pod-{job}", outputs=outputs, exit_code=0)
        self.end_pod(job, result._replace(**fields))

    def fail(
        self, job: str, code: str = "JobFailed", message: str = "no", exit_code: int = 1
    ) -> None:
        """Let a Job's pod end badly."""
        result = ActionResult(
            1, "Failed", pod_uid=f"pod-{job}", code=code, message=message, exit_code=exit_code
        )
        self.end_pod(job, result, action_code=exit_code)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    # ---- what there is

    def request(self, job: str) -> ActionRequest:
        """Return the request that a Job carries."""
        template = self.manifests[job]["spec"]["template"]
        return ActionRequest.decode(template["metadata"]["annotations"]["penstock.dev/request"])

    def job_for(self, action: str, run: str = "run-1") -> str:
        """Return the name of the Job of an action's latest try."""
        execution = self.execution(action, run)
        assert execution is not None, f"{action} has not started"
        return execution.job_name

    def execution(self, action: str, run: str = "run-1") -> ActionExecution | None:
        """Return an action's latest try."""
        for state in self.runs[run].status.stage_states:
            for item in state.action_states:
                if item.action_name == action:
                    return item.latest
        return None

    def status(self, run: str = "run-1") -> PipelineRunStatus:
        """Return a run's status."""
        return self.runs[run].status

    def live_jobs(self) -> list[str]:
        """Return the Jobs whose try is under way."""
        return [
            item.latest.job_name
            for run in self.runs.values()
            for state in run.status.stage_states
            for item in state.action_states
            if item.latest and item.latest.status == "InProgress"
        ]

    def reason(self, run: str = "run-1") -> str:
        """Return the reason of the run's Succeeded condition."""
        return next(c.reason for c in self.status(run).conditions if c.type == "Succeeded")
