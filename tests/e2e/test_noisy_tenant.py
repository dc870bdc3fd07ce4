"""One namespace does its worst within what ``edit`` allows; the next one does not notice."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.install import SYSTEM, make_store_secret
from tests.e2e.kube import Document, Kube, KubeError

ROUNDS, SECONDS = 4, 30.0
"""Two minutes of noise in all; each round has its own idle time, as others may use the machine, too."""
HEADER = {"apiVersion": "penstock.dev/v1alpha1"}
# What is measured is the operator, not how many pods two cores can run: as administrators do, pods have a quota.
QUOTA = {"metadata": {"name": "pods"}, "spec": {"hard": {"count/jobs.batch": "1"}}}


def check(variable: str, pattern: str) -> Document:
    rule = {"category": "Rule", "provider": "VariableCheck"}
    wanted = {"Variable": variable, "Operator": "MATCHES", "Value": pattern}
    return {"name": "R", "ruleTypeId": rule, "configuration": wanted}


def pipeline(name: str, *stages: Document, **spec: object) -> Document:
    return {**HEADER, "kind": "Pipeline", "metadata": {"name": name}, "spec": {"stages": list(stages), **spec}}


def run(name: str, of: str) -> Document:
    return {**HEADER, "kind": "PipelineRun", "metadata": {"name": name}, "spec": {"pipelineRef": {"name": of}}}


class Noise:
    """What one tenant does, with the rights of ``edit``, until it is told to stop; every loop is bounded."""

    def __init__(self, kube: Kube, namespace: str, round_: int) -> None:
        self._kube, self._namespace, self._over = kube, namespace, threading.Event()
        self._first = 10_000 * round_
        self.done = 0
        self._threads = [threading.Thread(target=self._loop, args=(work,)) for work in self._works()]

    def _works(self) -> list[Callable[[int], None]]:
        return [self._many_runs, self._large_pipelines, self._hostile_patterns, self._churn]

    def _loop(self, work: Callable[[int], None]) -> None:
        deadline = time.monotonic() + SECONDS
        for number in range(self._first, self._first + 2_000):
            if self._over.wait(0.05) or time.monotonic() > deadline:
                return
            with contextlib.suppress(KubeError):
                work(number)
                self.done += 1

    def _many_runs(self, number: int) -> None:
        if number == self._first:
            self._apply("pipelines", pipeline("many", stage("S", commands("A", "true")), executionMode="PARALLEL"))
        self._create("pipelineruns", run(f"many-{number}", "many"))

    def _large_pipelines(self, number: int) -> None:
        lines = [f"# {number} " + "x" * 900 for _ in range(50)]
        large = stage("S", *(commands(f"A{index}", *lines) for index in range(20)))
        self._create("pipelines", pipeline(f"large-{number}", large))

    def _hostile_patterns(self, number: int) -> None:
        patterns = [
            "x{1000}{1000}",
            "[" + "a-z" * 300 + "]{900}",
            "(a|a)*" * 100,
            "(" * 400 + ")" * 400,
            "a{0,1000}" * 50,
        ]
        pattern = patterns[number % len(patterns)][:1000]
        rules = {"conditions": [{"result": "FAIL", "rules": [check("#{codepipeline.PipelineExecutionId}", pattern)]}]}
        name = f"pattern-{number % 20}"
        self._apply("pipelines", pipeline(name, {**stage("S", commands("A", f"echo {number}")), "beforeEntry": rules}))
        self._create("pipelineruns", run(f"pattern-{number}", name))

    def _churn(self, number: int) -> None:
        self._apply("pipelines", pipeline("churn", stage("S", commands("A", f"echo {number}"))))
        self._create("pipelineruns", run(f"churn-{number}", "churn"))

    def _create(self, plural: str, body: Document) -> None:
        self._kube.create(plural, self._namespace, body)

    def _apply(self, plural: str, body: Document) -> None:
        path = self._kube.path(plural, self._namespace, body["metadata"]["name"])
        self._kube.request("PATCH", f"{path}?fieldManager=noise&force=true", body, "application/apply-patch+yaml")

    def __enter__(self) -> Noise:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=30)


@pytest.fixture
def noisy(kube: Kube, team: Team, cluster: Cluster) -> Iterator[str]:
    with kube.namespace(f"{team.namespace}-noisy") as name:
        make_store_secret(cluster, kube, name)
        kube.request("POST", f"/api/v1/namespaces/{name}/resourcequotas", QUOTA)
        yield name


def seconds_of_a_run(team: Team, name: str) -> float:
    started = time.monotonic()
    team.start("calm", name)
    assert team.ended(name, 120)["state"] == "Succeeded"
    return time.monotonic() - started


def operators(kube: Kube) -> list[Document]:
    return kube.objects("pods", SYSTEM, "app.kubernetes.io/name=penstock")


def restarts(kube: Kube) -> int:
    return sum(status["restartCount"] for pod in operators(kube) for status in pod["status"]["containerStatuses"])


def memory_of(kube: Kube) -> list[int]:
    """Return the bytes that each operator says it uses."""
    found = []
    for pod in operators(kube):
        text = kube.kubectl("exec", "-n", SYSTEM, pod["metadata"]["name"], "--", "cat", "/proc/1/status")
        found.append(1024 * int(text.partition("VmRSS:")[2].split()[0]))
    return found


@pytest.mark.timeout(900)
def test_attack_02_namespace_that_does_its_worst_is_not_noticed_by_the_next_one(
    team: Team, kube: Kube, noisy: str
) -> None:
    team.pipeline("calm", stage("S", commands("A", "true")), startOnCreate=False, executionMode="PARALLEL")
    seconds_of_a_run(team, "warm")
    before, uids = restarts(kube), {pod["metadata"]["uid"] for pod in operators(kube)}
    ratios: list[float] = []
    for round_ in range(ROUNDS):
        idle = [seconds_of_a_run(team, f"idle-{round_}-{number}") for number in range(4)]
        busy: list[float] = []
        with Noise(kube, noisy, round_) as noise:
            deadline = time.monotonic() + SECONDS
            while time.monotonic() < deadline or len(busy) < 4:
                busy.append(seconds_of_a_run(team, f"busy-{round_}-{len(busy)}"))
        ratios.append(statistics.median(busy) / statistics.median(idle))
        told = f"{noise.done} acts of noise, {len(busy)} runs: median {statistics.median(busy):.2f} s"
        print(f"{told}, idle {statistics.median(idle):.2f} s, worst {max(busy):.2f} s, ratio {ratios[-1]:.2f}")
        print(f"memory {[size // 1024 // 1024 for size in memory_of(kube)]} MiB")

    assert restarts(kube) == before
    assert {pod["metadata"]["uid"] for pod in operators(kube)} == uids
    assert max(memory_of(kube)) < 512 * 1024 * 1024, "the chart's limit"
    # The rest of the machine may be busy in one round and not in the next: the operator is the same in all.
    assert min(ratios) <= 2
