"""Runs every fuzzer in this folder for its share of ``FUZZ_S`` seconds, and closes with a table.

A fuzzer is a module ``fuzz_<name>.py`` with a function ``batch(random, folder) -> int`` (see
`finding.Batch`), or with ``one(random)``, which tries a single input and raises AssertionError; and
if it wants more than one share of the time ``WEIGHT``: how many. ``SEED`` repeats a run: batch n of
a fuzzer gets its inputs from the seed, its name and n alone. ``FUZZ`` names the fuzzers to run,
separated by blanks.
"""

import importlib
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.fuzz.finding import Batch, Finding

MOST_FINDINGS = 5


class Share(NamedTuple):
    """What one process does of one fuzzer: the batches ``first``, ``first + step``, …"""

    name: str
    seed: int
    first: int
    step: int
    seconds: float


class Told(NamedTuple):
    """What came of it."""

    inputs: int
    findings: list[str]


def names() -> list[str]:
    """Return the fuzzers that are there, or those that FUZZ names."""
    found = sorted(
        path.stem.removeprefix("fuzz_") for path in Path(__file__).parent.glob("fuzz_*.py")
    )
    wanted = os.environ.get("FUZZ", "").split()
    return [name for name in found if not wanted or name in wanted]


def batch_of(one: Callable[[Random], None]) -> Batch:
    """Return a batch of fifty single inputs."""

    def batch(random: Random, _: Path) -> int:
        for _number in range(50):
            one(random)
        return 50

    return batch


def run(share: Share) -> Told:
    """Run batches until the time is over, or there are enough findings."""
    module = importlib.import_module(f"tests.fuzz.fuzz_{share.name}")
    batch: Batch = module.batch if hasattr(module, "batch") else batch_of(module.one)
    inputs, findings, number, until = 0, list[str](), share.first, time.monotonic() + share.seconds
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{share.name}-") as folder:
        while time.monotonic() < until and len(findings) < MOST_FINDINGS:
            try:
                inputs += batch(Random(f"{share.seed} {share.name} {number}"), Path(folder))
            except Finding as finding:
                findings.append(f"batch {number}: {finding}")
            except Exception:
                findings.append(f"batch {number}: {traceback.format_exc()}")
            number += share.step
    return Told(inputs, findings)


def weight_of(name: str) -> int:
    """Return how many shares of the time a fuzzer gets."""
    return int(getattr(importlib.import_module(f"tests.fuzz.fuzz_{name}"), "WEIGHT", 1))


def main() -> int:
    """Run all; return 1 if anything was found."""
    processes = os.cpu_count() or 1
    seconds = float(os.environ.get("FUZZ_S", "600"))
    seed = int(os.environ.get("SEED") or Random().randrange(10**6))
    fuzzers, is_clean = names(), True
    weights = {name: weight_of(name) for name in fuzzers}
    print(f"SEED={seed}, {len(fuzzers)} fuzzers, {seconds:.0f} s on {processes} cores", flush=True)
    lines = []
    with ProcessPoolExecutor(processes) as pool:
        for name in fuzzers:
            shares = [
                Share(name, seed, n, processes, seconds * weights[name] / sum(weights.values()))
                for n in range(processes)
            ]
            told = list(pool.map(run, shares))
            findings = [finding for each in told for finding in each.findings]
            is_clean &= not findings
            for finding in findings:
                print(f"{name}: {finding}\n", flush=True)
            lines.append(f"{name:<20} {sum(each.inputs for each in told):>12} {len(findings):>9}")
    print("\n".join([f"{'fuzzer':<20} {'inputs':>12} {'findings':>9}", *lines]))
    return 0 if is_clean and fuzzers else 1


if __name__ == "__main__":
    sys.exit(main())
