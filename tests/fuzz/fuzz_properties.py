"""The properties of the unit tests, over inputs that no change is judged by (profile ``explore``).

A batch is a few properties in a process of pytest. A failure is told with the seed that Hypothesis
drew from, and the failing example, which `@reproduce_failure` repeats.
"""

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from random import Random

from tests.fuzz.finding import Finding

WEIGHT = 3
"""Many properties share it."""
TOGETHER = 4
EXAMPLES = 300
ROOT = Path(__file__).parents[2]
LONGEST_S = 1800
_PASSED = re.compile(r"(\d+) passing")


def batch(random: Random, folder: Path) -> int:
    """Explore some properties; return how many examples were tried."""
    return explore(random.sample(properties(), TOGETHER), random.randrange(2**32), folder)


def explore(names: list[str], seed: int, folder: Path) -> int:
    """Explore properties from a seed; return how many examples were tried."""
    told = pytest(
        f"--hypothesis-seed={seed}",
        "--hypothesis-show-statistics",
        f"--basetemp={folder}/pytest",
        *names,
    )
    if told.returncode:
        raise Finding(
            f"EXAMPLES={EXAMPLES} --hypothesis-seed={seed} {' '.join(names)}\n{told.stdout[-8000:]}"
        )
    return sum(map(int, _PASSED.findall(told.stdout)))


@cache
def properties() -> list[str]:
    """Return the names of all properties, tests with Hypothesis's `given`;
    raise Finding if there are none.
    """
    files = [
        path
        for path in (ROOT / "tests/unit").rglob("test_*.py")
        if "from hypothesis" in path.read_text()
    ]
    told = pytest("--collect-only", *map(str, files))
    found = sorted(
        {
            line.partition("[")[0]
            for line in told.stdout.splitlines()
            if line.startswith("tests/unit/")
        }
    )
    if len(found) < TOGETHER:
        raise Finding(
            f"no properties are found in tests/unit:\n{told.stdout[-2000:]}{told.stderr[-2000:]}"
        )
    return found


def pytest(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on properties alone, with the profile that explores."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "hypothesis",
        "-p",
        "tests.support.properties",
        "--hypothesis-profile=explore",
    ]
    env = {**os.environ, "EXAMPLES": str(EXAMPLES), "PYTHONPATH": f"{ROOT}/operator:{ROOT}"}
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
