"""One namespace does its worst within what ``edit`` allows, for two minutes;
the next one does not notice.
"""

from __future__ import annotations

import contextlib
import random
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, git, stage
from tests.e2e.triggers_process import TriggersProcess
from tests.support.install import SYSTEM, make_store_secret, push_repository
from tests.support.kube import Document, Kube, KubeError, eventually

pytestmark = pytest.mark.alone(reason="it loads the machine, and compares times")

ROUNDS, SECONDS = 4, 30.0
"""Two minutes of noise in all; each round has its own idle time, as others
may use the machine, too.
"""
RUNS = 5
MEMORY_LIMIT = 512 * 1024 * 1024
"""The chart's."""
BUSYBOX = "docker.io/library/busybox:1.35"
HEADER = {"apiVersion": "penstock.dev/v1alpha1"}
# What is measured is the operator, not how many pods two cores can run: as administrators do, Jobs
# have a quota.
QUOTA = {
    "metadata": {"name": "jobs"},
    "spec": {"hard": {"count/jobs.batch": "1", "count/pods": "200"}},
}
VALUE = "#{codepipeline.PipelineExecutionId}"
PATTERNS = (
    "x{1000}{1000}",
    "[" + "a-z" * 300 + "]{900}",
    "(a|a)*" * 100,
    "(" * 400 + ")" * 400,
    "a{0,1000}" * 50,
)
HEAVY = (
    "env " * 200,
    f'echo "{VALUE}" ' * 20,
    "a && " * 180,
    "case x in " + "a) b;; " * 100 + "esac; ",
    "f() { a; }; " * 70,
)


def pipeline(name: str, *stages: Document, **spec: object) -> Document:
    return {
        **HEADER,
        "kind": "Pipeline",
        "metadata": {"name": name},
        "spec": {"stages": list(stages), **spec},
    }


def run(name: str, of: str) -> Document:
    return {
        **HEADER,
        "kind": "PipelineRun",
        "metadata": {"name": name},
        "spec": {"pipelineRef": {"name": of}},
    }


def check(pattern: str) -> Document:
    rule = {"category": "Rule", "provider": "VariableCheck"}
    wanted = {"Variable": VALUE, "Operator": "MATCHES", "Value": pattern}
    return {
        "conditions": [
            {
                "result": "FAIL",
                "rules": [{"name": "R", "ruleTypeId": rule, "configuration": wanted}],
            }
        ]
    }


class Noise:
    """What one tenant does, with the rights of ``edit``, until it is told to
    stop; every loop is bounded.
    """

    def __init__(self, kube: Kube, namespace: str, round_: int) -> None:
        self._kube, self._namespace, self._over = kube, namespace, threading.Event()
        self._first = 10_000 * round_
        self.done = 0
        self._threads = [
            threading.Thread(target=self._loop, args=(work,)) for work in self._works()
        ]

    def _works(self) -> list[Callable[[int], None]]:
        return [
            self._many_runs,
            self._large_pipelines,
            self._hostile_patterns,
            self._heavy_commands,
            self._churn,
        ]

    def _loop(self, work: Callable[[int], None]) -> None:
        deadline = time.monotonic() + SECONDS
        for number in range(self._first, self._first + 2_000):
            if self._over.wait(0.1) or time.monotonic() > deadline:
                return
            with contextlib.suppress(KubeError):
                work(number)
                self.done += 1

    def _many_runs(self, number: int) -> None:
        if number == self._first:
            self._apply(
                "pipelines",
                pipeline("many", stage("S", commands("A", "true")), executionMode="PARALLEL"),
            )
        self._create("pipelineruns", run(f"many-{number}", "many"))

    def _large_pipelines(self, number: int) -> None:
        """A megabyte each, every third of letters that take four bytes in
        memory; every other one is deleted again.
        """
        letter = "\N{GRINNING FACE}" if number % 3 == 0 else "x"
        lines = [f"# {number} {letter}" + "x" * 900 for _ in range(50)]
        name = f"large-{number}"
        self._create(
            "pipelines",
            pipeline(name, stage("S", *(commands(f"A{index}", *lines) for index in range(20)))),
        )
        if number % 2:
            self._kube.delete("pipelines", self._namespace, name)

    def _hostile_patterns(self, number: int) -> None:
        pattern = PATTERNS[number % len(PATTERNS)][:1000]
        name = f"pattern-{number % 20}"
        checked = {**stage("S", commands("A", f"echo {number}")), "beforeEntry": check(pattern)}
        self._apply("pipelines", pipeline(name, checked))
        self._create("pipelineruns", run(f"pattern-{number}", name))

    def _heavy_commands(self, number: int) -> None:
        line = f"{HEAVY[number % len(HEAVY)][:900]} echo '{number}{VALUE}'"
        stages = [stage(f"S{place}", commands("A", *[line] * 15)) for place in range(4)]
        self._apply("pipelines", pipeline(f"heavy-{number % 20}", *stages))

    def _churn(self, number: int) -> None:
        """A pipeline edited and run again and again, and a pod that pretends
        to be a Job's, as large as may be.
        """
        self._apply("pipelines", pipeline("churn", stage("S", commands("A", f"echo {number}"))))
        self._create("pipelineruns", run(f"churn-{number}", "churn"))
        labels = {"penstock.dev/run-uid": "x", "batch.kubernetes.io/job-name": "churn"}
        meta = {
            "name": f"foreign-{number}",
            "labels": labels,
            "annotations": {"large": "x" * 200_000},
        }
        spec = {"schedulerName": "nobody", "containers": [{"name": "agent", "image": BUSYBOX}]}
        self._kube.create("pods", self._namespace, {"metadata": meta, "spec": spec})

    def _create(self, plural: str, body: Document) -> None:
        self._kube.create(plural, self._namespace, body)

    def _apply(self, plural: str, body: Document) -> None:
        path = self._kube.path(plural, self._namespace, body["metadata"]["name"])
        self._kube.request(
            "PATCH", f"{path}?fieldManager=noise&force=true", body, "application/apply-patch+yaml"
        )

    def __enter__(self) -> Noise:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=30)


@pytest.fixture
def noisy(kube: Kube, team: Team, cluster: Cluster) -> Iterator[Team]:
    with kube.namespace(f"{team.namespace}-noisy") as name:
        make_store_secret(cluster, kube, name)
        kube.request("POST", f"/api/v1/namespaces/{name}/resourcequotas", QUOTA)
        yield Team(cluster, kube, name)


@pytest.fixture
def tenant(kube: Kube, noisy: Team) -> Kube:
    """The cluster as an account sees it that may edit the noisy namespace, and nothing else."""
    kube.create("serviceaccounts", noisy.namespace, {"metadata": {"name": "mallory"}})
    subject = {"kind": "ServiceAccount", "name": "mallory", "namespace": noisy.namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
    binding = {"metadata": {"name": "edit"}, "roleRef": role, "subjects": [subject]}
    kube.create("rolebindings", noisy.namespace, binding)
    wanted = {
        "group": "penstock.dev",
        "resource": "pipelines",
        "verb": "create",
        "namespace": noisy.namespace,
    }
    kube.await_right(f"system:serviceaccount:{noisy.namespace}:mallory", resourceAttributes=wanted)
    return Kube(kube.kubeconfig, token=kube.token_of(noisy.namespace, "mallory"))


@pytest.fixture
def triggers(cluster: Cluster, kube: Kube, team: Team, noisy: Team) -> Iterator[TriggersProcess]:
    """Triggers that poll both namespaces, of which the noisy one has twenty
    sources that never say a word.
    """
    namespaces = [team.namespace, noisy.namespace]
    process = TriggersProcess(cluster, kube, namespaces=namespaces, allowed=("127.0.0.1/32",))
    # Connections are taken by the kernel, and nobody reads them.
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        for number in range(20):
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/{number}.git"
            noisy.pipeline(
                f"silent-{number}", stage("Source", git("Fetch", url, output="src", Branch="main"))
            )
        yield process
        process.stop()


def ask_for_metrics(noisy: Team) -> None:
    """Let a pod ask the operator for its metrics again and again, each time
    with another token that is none.
    """
    addresses = " ".join(pod["status"]["podIP"] for pod in operators(noisy.kube))
    ask = (
        'wget -q -T 2 -O /dev/null --header "Authorization: Bearer $n.$n.$n" '
        '"http://$host:8080/metrics"'
    )
    script = f"for n in $(seq 100000); do for host in {addresses}; do {ask}; done; sleep 0.1; done"
    spec = {
        "activeDeadlineSeconds": 600,
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "containers": [{"name": "ask", "image": BUSYBOX, "command": ["sh", "-c", script]}],
    }
    noisy.kube.create("pods", noisy.namespace, {"metadata": {"name": "ask"}, "spec": spec})


def seconds_of_a_run(team: Team, name: str) -> float:
    # The kubelet looks once a second, and a run begins as the last one ends: begin at another part
    # of its second.
    time.sleep(random.random())
    started = time.monotonic()
    team.start("calm", name)
    assert team.ended(name, 120)["state"] == "Succeeded"
    return time.monotonic() - started


def seconds_of_a_job(team: Team, name: str) -> float:
    """Return how long a bare Job takes until it says that it has ended: what
    the machine can do just now.
    """
    container = {"name": "c", "image": BUSYBOX, "command": ["true"]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    started = time.monotonic()
    body = {"metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": template}}
    team.kube.create("jobs", team.namespace, body)
    path = ("jobs", team.namespace, name)
    eventually(
        lambda: team.kube.get(*path).get("status", {}).get("succeeded"),
        120,
        f"{name} ended",
        pause=0.05,
    )
    return time.monotonic() - started


def operators(kube: Kube) -> list[Document]:
    return kube.objects("pods", SYSTEM, "app.kubernetes.io/name=penstock")


def restarts(kube: Kube) -> dict[str, int]:
    """Return how often each operator has been started again, by its pod's uid."""
    return {
        pod["metadata"]["uid"]: sum(
            status["restartCount"] for status in pod["status"]["containerStatuses"]
        )
        for pod in operators(kube)
    }


def memory_of(kube: Kube) -> list[int]:
    """Return the most bytes that each operator has used so far."""
    found = []
    for pod in operators(kube):
        text = kube.kubectl(
            "exec", "-n", SYSTEM, pod["metadata"]["name"], "--", "cat", "/proc/1/status"
        )
        found.append(1024 * int(text.partition("VmHWM:")[2].split()[0]))
    return found


def pushed_change_starts_a_run(team: Team, round_: int) -> None:
    repository = push_repository(
        team.cluster, f"{team.namespace}/web", {"page": f"change {round_}"}
    )
    if round_ == 0:
        fetch = git("Fetch", repository.url, output="web", Branch="main")
        team.pipeline("pushed", stage("Source", fetch))

    def details() -> list[str]:
        runs = team.kube.objects("pipelineruns", team.namespace)
        return [item["spec"].get("trigger", {}).get("triggerDetail", "") for item in runs]

    eventually(
        lambda: round_ == 0 or any(repository.commit in text for text in details()),
        90,
        "the push is seen",
    )


@pytest.mark.timeout(1200)
def test_attack_02_namespace_that_does_its_worst_is_not_noticed_by_the_next_one(
    team: Team, kube: Kube, noisy: Team, tenant: Kube, triggers: TriggersProcess
) -> None:
    team.pipeline(
        "calm", stage("S", commands("A", "true")), startOnCreate=False, executionMode="PARALLEL"
    )
    seconds_of_a_run(team, "warm")
    triggers.start()
    before = restarts(kube)
    ratios: list[float] = []
    all_idle: list[float] = []
    all_busy: list[float] = []
    for round_ in range(ROUNDS):
        still = [seconds_of_a_run(team, f"idle-{round_}-{number}") for number in range(RUNS)]
        idle_job = seconds_of_a_job(team, f"idle-{round_}")
        with Noise(tenant, noisy.namespace, round_) as noise:
            if round_ == 0:
                ask_for_metrics(noisy)
            deadline, runs = time.monotonic() + SECONDS, list[float]()
            busy_job = seconds_of_a_job(team, f"busy-{round_}")
            while time.monotonic() < deadline or len(runs) < RUNS:
                runs.append(seconds_of_a_run(team, f"busy-{round_}-{len(runs)}"))
        idle, busy = statistics.median(still), statistics.median(runs)
        machine = max(1.0, busy_job / idle_job)
        all_idle, all_busy = all_idle + still, all_busy + runs
        ratios.append(busy / idle / machine)
        print(
            f"{noise.done} acts of noise; {len(runs)} runs, median {busy:.2f} s, worst "
            f"{max(runs):.2f} s"
        )
        print(
            f"idle {idle:.2f} s: {busy / idle:.2f} times; a bare Job {machine:.2f} times: "
            f"{ratios[-1]:.2f}"
        )
        print(f"memory {[size // 1024 // 1024 for size in memory_of(kube)]} MiB")
        pushed_change_starts_a_run(team, round_)
    print(f"all rounds: {statistics.median(all_busy) / statistics.median(all_idle):.2f} times")

    assert restarts(kube) == before
    assert max(memory_of(kube)) < MEMORY_LIMIT
    # The rest of the machine may be busy in one round and not in the next: the operator is the same
    # in all.
    assert min(ratios) <= 2
