"""``make bench``: prints medians and ratios of one session, and writes them
to BENCH_OUT as JSON.
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import sys
from collections import Counter
from pathlib import Path

from tests.bench.audit import AuditLog
from tests.bench.workload import PROJECT, Bench, bare_job, pair, pipeline, run_of
from tests.cluster import Cluster, load
from tests.support.install import install_chart, make_bucket, make_store_secret
from tests.support.kube import Kube

REPEATS = int(os.environ.get("BENCH_REPEATS", "9"))
AT_ONCE = 20
COUNTED_RUNS = 100
CHAIN = 5

BUDGETS = {
    "one_action_run_s": ("bare_job_complete_s", 0.5),
    "further_action_s": ("bare_job_complete_s", 0.4),
    "twenty_runs_s": ("twenty_jobs_s", 0.8),
}


def main() -> int:
    """Measure, print, write."""
    cluster = load()
    kube = Kube(cluster.kubeconfig)
    # The replica that stands by has a node of its own elsewhere; here it would take from the same
    # two cores.
    install_chart(cluster, kube, {"replicas": 1})
    make_bucket(cluster)
    with kube.namespace(f"bench-{secrets.token_hex(3)}") as namespace:
        make_store_secret(cluster, kube, namespace)
        figures = measure(cluster, Bench(kube, namespace))
    report(figures)
    if path := os.environ.get("BENCH_OUT"):
        Path(path).write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def measure(cluster: Cluster, bench: Bench) -> dict[str, float | None]:
    """Return all figures. Jobs and runs take turns, so that a slow minute of
    the machine slows both.
    """
    bench.apply(pipeline("one", 1), pipeline("chain", CHAIN))
    jobs, ones, chains = [], [], []
    for number in range(REPEATS + 1):
        jobs.append(bench.job(f"job-{number}"))
        ones.append(bench.run("one", f"one-{number}"))
        chains.append(bench.run("chain", f"chain-{number}"))
        say(
            f"{number}: bare Job {jobs[-1]:.2f} s, one action {ones[-1]:.2f} s, {CHAIN} actions "
            f"{chains[-1]:.2f} s"
        )
    one, chain = statistics.median(ones[1:]), statistics.median(chains[1:])
    rss = operator_rss_mib()
    many_jobs, many_runs = at_once(bench)
    one_calls, further_calls = api_calls(cluster, bench)
    return {
        "bare_job_complete_s": statistics.median(jobs[1:]),
        "one_action_run_s": one,
        "further_action_s": (chain - one) / (CHAIN - 1),
        "twenty_jobs_s": many_jobs,
        "twenty_runs_s": many_runs,
        "codebuild_over_commands_s": build_cost(bench),
        "api_calls_one_action": one_calls,
        "api_calls_further_action": further_calls,
        "operator_rss_mib": rss,
    }


def build_cost(bench: Bench) -> float:
    """Return what a CodeBuild action takes longer than a Commands action: the median of
    differences, in turns.
    """
    bench.kube.apply([PROJECT], bench.namespace)
    bench.apply(pair("commands", "Commands"), pair("build", "CodeBuild"))
    differences = []
    for number in range(REPEATS + 1):
        commands, build = (
            bench.run("commands", f"commands-{number}"),
            bench.run("build", f"build-{number}"),
        )
        differences.append(build - commands)
        say(f"{number}: Commands {commands:.2f} s, CodeBuild {build:.2f} s")
    return statistics.median(differences[1:])


def at_once(bench: Bench) -> tuple[float, float]:
    """Return the medians of three rounds: twenty bare Jobs, and twenty runs of twenty pipelines."""
    names = [f"many-{number}" for number in range(AT_ONCE)]
    bench.apply(*(pipeline(name, 1) for name in names))
    jobs, runs = [], []
    for turn in range(3):
        jobs.append(bench.seconds("jobs", [bare_job(f"{name}-job-{turn}") for name in names]))
        runs.append(
            bench.seconds("pipelineruns", [run_of(name, f"{name}-{turn}") for name in names])
        )
        say(f"{AT_ONCE} at once: bare Jobs {jobs[-1]:.2f} s, runs {runs[-1]:.2f} s")
    return statistics.median(jobs), statistics.median(runs)


def api_calls(cluster: Cluster, bench: Bench) -> tuple[float | None, float | None]:
    """Return the operator's requests per one-action run and per further
    action; None without an audit log.
    """
    if cluster.audit_log is None:
        return None, None
    names = [f"many-{number}" for number in range(AT_ONCE)]
    log = AuditLog(cluster.audit_log)
    for turn in range(COUNTED_RUNS // AT_ONCE):
        bench.seconds("pipelineruns", [run_of(name, f"{name}-count-{turn}") for name in names])
    ones = log.requests(bench.namespace)
    chains = [f"chain-{number}" for number in range(AT_ONCE)]
    bench.apply(*(pipeline(name, CHAIN) for name in chains))
    log = AuditLog(cluster.audit_log)
    bench.seconds("pipelineruns", [run_of(name, f"{name}-count") for name in chains])
    chained = log.requests(bench.namespace)
    one, chain = (
        per_run(ones, COUNTED_RUNS, "one action"),
        per_run(chained, AT_ONCE, f"{CHAIN} actions"),
    )
    return one, (chain - one) / (CHAIN - 1)


def per_run(requests: Counter[str], runs: int, what: str) -> float:
    """Return the requests per run, and say which they are."""
    parts = ", ".join(f"{count / runs:.2f} {name}" for name, count in requests.most_common())
    say(f"requests per run of {what}: {parts}")
    return requests.total() / runs


def operator_rss_mib() -> float | None:
    """Return the operator's resident memory where its process is visible from
    here (the local cluster).
    """
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            command = (status.parent / "cmdline").read_bytes().decode()
            if "penstock-operator" in command and "/etc/penstock/config.yaml" in command:
                line = next(
                    line for line in status.read_text().splitlines() if line.startswith("VmRSS:")
                )
                return int(line.split()[1]) / 1024
        except (OSError, StopIteration):
            continue
    return None


def report(figures: dict[str, float | None]) -> None:
    """Print every figure, and the ratio and budget of those that have one."""
    for name, value in figures.items():
        if value is None:
            say(f"{name:26} not measured here")
            continue
        line = f"{name:26} {value:8.2f}"
        if name in BUDGETS:
            base, budget = BUDGETS[name]
            ratio = value / (figures[base] or 1)
            line += (
                f"   {ratio:.2f} x {base} (budget {budget:.2f}: "
                f"{'held' if ratio <= budget else 'MISSED'})"
            )
        say(line)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
