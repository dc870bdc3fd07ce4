"""One story of the simulator: the steps it may take, and its good end."""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass
from typing import Any

from penstock.api.kinds.run import PipelineRunStatus
from penstock.cluster.resources import APPROVALS, JOBS
from penstock.engine.settings import Settings
from tests.unit.engine.laws import Laws
from tests.unit.engine.simulated_operator import Death, Process
from tests.unit.engine.simulation import approval_action, commands_action, stage
from tests.unit.engine.simulator import Cluster
from tests.unit.engine.stories import Step

LIMITS = Settings(
    container_end_s=5,
    no_pod_s=60,
    start_s=60,
    concurrent_executions=2,
    successful_runs=3,
    failed_runs=3,
    runs_with_jobs=1,
)
STEPS = {
    "hear": 20, "hear all": 8, "turn": 24, "die": 4,
    "start pod": 14, "succeed": 14, "fail": 4, "kill": 3, "evict": 1, "agent dies": 1, "reap": 5,
    "delete job": 2,
    "start": 6, "stop": 2, "abandon": 2, "retry": 3, "retry all": 2, "roll back": 2, "override": 3,
    "approve": 5, "reject": 1, "delete approval": 1, "disable": 2, "enable": 3, "edit": 2,
    "mode": 1,
    "wait": 4, "wait long": 1, "clock back": 1,
}  # fmt: skip
UNKIND_STEPS = {**STEPS, "hear old": 4, "compare": 2, "busy turn": 6, "refuse": 4}
"""With what a network and a busy server do, besides."""
NAMES = ("run-c", "run-e", "run-a", "run-d", "run-b")
"""Runs in the order of their creation: their names say nothing of it."""
MEANWHILE = (
    "succeed", "fail", "kill", "start pod", "reap", "delete job", "stop", "abandon", "retry",
    "edit", "approve", "start",
)  # fmt: skip
"""What somebody else may do in the middle of a pass."""
REFUSALS = (
    ("POST", "/jobs", 403, "Forbidden", False),
    ("POST", "/approvals", 403, "Forbidden", False),
    ("POST", "/controllerrevisions", 403, "Forbidden", False),
    ("PATCH", "/pipelineruns/", 500, "InternalError", False),
    ("PATCH", "/pipelines/", 503, "ServiceUnavailable", False),
    ("GET", "/jobs/", 503, "ServiceUnavailable", False),
    ("POST", "/jobs", 504, "Timeout", True),
    ("PATCH", "/pipelineruns/", 504, "Timeout", True),
    ("PATCH", "/approvals/", 504, "Timeout", True),
    ("DELETE", "/jobs", 504, "Timeout", True),
)
"""What the server may refuse once: method, path, answer, and whether only the answer is lost."""
MODES = ("SUPERSEDED", "QUEUED", "PARALLEL")


def _conditions(chance: random.Random, *, is_parallel: bool) -> dict[str, Any]:
    """Return conditions of a stage: some hold, some do not, some wait for a Job or for a time."""
    ask = {
        "name": "Ask",
        "ruleTypeId": {"category": "Rule", "provider": "Commands"},
        "commands": ["ask"],
    }
    value = chance.choice(["same", "other"])
    check = {
        "name": "Check",
        "ruleTypeId": {"category": "Rule", "provider": "VariableCheck"},
        "configuration": {"Variable": "same", "Value": value, "Operator": "EQ"},
    }
    window = {
        "name": "Window",
        "ruleTypeId": {"category": "Rule", "provider": "DeploymentWindow"},
        "configuration": {"Cron": "0 0/2 * ? * *"},
        "timeoutInMinutes": 60,
    }
    skip = {"beforeEntry": {"conditions": [{"result": "SKIP", "rules": [check]}]}}
    fail = {
        "beforeEntry": {
            "conditions": [{"result": "FAIL", "rules": chance.choice([[ask, window], [check]])}]
        }
    }
    after = {"onSuccess": {"conditions": [{"result": "FAIL", "rules": [ask]}]}}
    back = {"onFailure": {"conditions": [{"result": "ROLLBACK", "rules": [ask]}]}}
    return chance.choice([skip, fail, after, {} if is_parallel else back])


@dataclass
class Play:
    """One story being told: the cluster, the operator, and the laws."""

    cluster: Cluster
    operator: Process
    laws: Laws

    @classmethod
    def of(cls, seed: int) -> Play:
        """Return the beginning of a seed's story: its pipeline is drawn from it, too."""
        chance = random.Random(seed)
        stages = []
        for number in range(chance.randint(1, 3)):
            actions = [
                commands_action(f"A{number}{index}", runOrder=chance.randint(1, 2))
                for index in range(chance.randint(1, 3))
            ]
            if number and chance.random() < 0.3:
                actions.append(approval_action(f"Ok{number}", runOrder=chance.randint(1, 3)))
            stages.append(stage(f"S{number}", *actions))
        mode = chance.choice(MODES)
        for item in stages:
            result = chance.choice(["", "", "RETRY", "" if mode == "PARALLEL" else "ROLLBACK"])
            item |= {"onFailure": {"result": result}} if result else {}
            if chance.random() < 0.3:
                item |= _conditions(chance, is_parallel=mode == "PARALLEL")
        on_update = chance.choice(["Cancel", "Finish"])
        cluster = Cluster({"stages": stages, "executionMode": mode, "onUpdate": on_update})
        cluster.start(NAMES[0])
        laws = Laws(cluster)
        return cls(cluster, Process(cluster, LIMITS, laws.check), laws)

    # ---- steps

    def take(self, step: Step) -> None:
        """Let one step happen, where there is anything for it to happen to."""
        cluster, operator = self.cluster, self.operator
        match step.name:
            case "hear":
                if late := operator.late():
                    operator.hear(*_picked(late, step))
            case "hear all":
                operator.hear_all()
            case "turn":
                operator.turn()
            case "die":
                with contextlib.suppress(Death):
                    operator.turn(int(step.pick * 4))
                self.operator = Process(cluster, LIMITS, self.laws.check)
            case "hear old":
                operator.hear_old(step.pick)
            case "compare":
                operator.compare()
            case "busy turn":
                other = Step(_picked(list(MEANWHILE), step), step.pick * len(MEANWHILE) % 1)
                operator.turn(meanwhile=lambda: self.take(other))
            case "refuse":
                method, words, status, reason, is_applied = _picked(list(REFUSALS), step)
                cluster.server.refuse(method, words, status, reason, is_applied=is_applied)
            case "wait" | "wait long" | "clock back":
                cluster.advance({"wait": 20, "wait long": 4000, "clock back": -15}[step.name])
            case (
                "start pod"
                | "succeed"
                | "fail"
                | "kill"
                | "evict"
                | "agent dies"
                | "reap"
                | "delete job"
            ):
                self._in_the_cluster(step)
            case _:
                self._by_a_user(step)

    def _in_the_cluster(self, step: Step) -> None:
        cluster = self.cluster
        if step.name == "start pod":
            if jobs := cluster.jobs_without_pod():
                cluster.start_pod(_picked(jobs, step))
            return
        if step.name == "delete job":
            if cluster.jobs:
                cluster.delete(JOBS, _picked(sorted(cluster.jobs), step))
            return
        names = cluster.running()
        if step.name == "reap":
            names = sorted(pod.name for pod in cluster.pods.values() if pod.is_deleted)
        if not names:
            return
        name = _picked(names, step)
        match step.name:
            case "succeed" | "fail":
                cluster.finish(name, is_success=step.name == "succeed")
            case "kill":
                cluster.end(name, None)
            case "evict":
                cluster.evict(name)
            case "agent dies":
                cluster.end_agent(name)
            case "reap":
                cluster.reap(name)

    def _by_a_user(self, step: Step) -> None:
        cluster = self.cluster
        runs = sorted(cluster.runs)
        run = _picked(runs, step) if runs else ""
        match step.name:
            case "start" if cluster.numbers < len(NAMES):
                wrong = {"variables": [{"name": "NONE", "value": "x"}]} if step.pick > 0.9 else {}
                cluster.start(NAMES[cluster.numbers], **wrong)
            case "approve" | "reject" | "delete approval":
                self._decide(step)
            case "stop" | "abandon" if run:
                self._stop(run, is_abandoned=step.name == "abandon")
            case "retry" | "retry all" if run:
                mode = "ALL_ACTIONS" if step.name == "retry all" else "FAILED_ACTIONS"
                name = f"S{int(step.pick * 100) % 3}"
                cluster.ask(run, "retries", stageName=name, retryMode=mode)
            case "override" if run:
                kind = _picked(["BEFORE_ENTRY", "ON_SUCCESS", "ON_FAILURE"], step)
                entered = cluster.runs[run].status.stage_states
                name = entered[-1].stage_name if entered else "S0"
                cluster.ask(run, "overrides", stageName=name, conditionType=kind)
            case "roll back" if run and cluster.numbers < 2 * len(NAMES):
                wanted = {"stageName": f"S{int(step.pick * 100) % 3}", "targetRun": run}
                cluster.start(f"back-{cluster.numbers}", executionType="ROLLBACK", rollback=wanted)
            case "disable" | "enable":
                disabled = [{"stageName": f"S{int(step.pick * 3)}", "reason": "freeze"}]
                names = {state.name for state in cluster.pipeline.spec.stages}  # type: ignore[union-attr]
                disabled = [item for item in disabled if item["stageName"] in names]
                cluster.edit(
                    disableInboundStageTransitions=disabled if step.name == "disable" else []
                )
            case "edit":
                stages = cluster.pipeline.spec.to_dict()["stages"]  # type: ignore[union-attr]
                stages[0]["actions"][0]["commands"] = [f"echo {step.pick}"]
                cluster.edit(stages=stages)
            case "mode":
                cluster.edit(executionMode=_picked(list(MODES), step))

    def _decide(self, step: Step) -> None:
        waiting = self.cluster.open_approvals()
        if not waiting:
            return
        name = _picked(waiting, step)
        if step.name == "delete approval":
            self.cluster.delete(APPROVALS, name)
        else:
            self.cluster.answer(name, "Approved" if step.name == "approve" else "Rejected")

    def _stop(self, run: str, *, is_abandoned: bool) -> None:
        spec = self.cluster.runs[run].spec
        assert spec is not None
        if spec.stop is None or (is_abandoned and not spec.stop.abandon):
            self.cluster.stop(run, abandon=is_abandoned, afterRetries=len(spec.retries) or None)

    # ---- what comes of it

    def settle(self) -> None:
        """Let the operator hear and do everything there is to do."""
        for _ in range(60):
            self.operator.hear_all()
            if not self.operator.turn():
                return
            self.laws.check()
        raise AssertionError("the engine does not come to rest")

    def end(self) -> None:
        """Let all go well from here on: every run ends, and nothing is left running."""
        cluster = self.cluster
        cluster.edit(disableInboundStageTransitions=[])
        for _ in range(80):
            self.settle()
            live = cluster.running()
            if not live and all(_is_over(run.status) for run in cluster.runs.values()):
                break
            for name in [
                pod.name for pod in cluster.pods.values() if pod.is_deleted and not pod.may_run
            ]:
                cluster.reap(name)
            for name in live:
                cluster.finish(name, is_success=True)
            for job in cluster.jobs_without_pod():
                cluster.start_pod(job)
            for name in cluster.open_approvals():
                cluster.answer(name, "Approved")
            cluster.advance(10)
            self.laws.check()
        waiting = [name for name, run in cluster.runs.items() if not _is_over(run.status)]
        assert not waiting, f"{waiting} never ended"
        assert not cluster.running(), "containers run for nobody"


def _is_over(status: PipelineRunStatus) -> bool:
    return status.state is not None and status.state.is_terminal


def _picked(items: list[Any], step: Step) -> Any:
    return items[min(int(step.pick * len(items)), len(items) - 1)]
