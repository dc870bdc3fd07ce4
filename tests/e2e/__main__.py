"""``python -m tests.e2e``: the end-to-end tests, several at once if they do not disturb each other.

Four sessions follow each other: tests that share the chart's operator, tests that run operators of
their own, tests that need triggers, and tests that must be alone (their mark says why). A test that
fails is run once more, alone. What passes then is listed as FLAKY in the closing lines; ``.e2e``
keeps what the cluster knew when it failed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import NamedTuple

from tests.e2e.conftest import OWN_OPERATOR, WITH_TRIGGERS
from tests.support.install import ROOT

DUMPS = ROOT / ".e2e"
"""A folder for each test that failed."""
FAILED = DUMPS / "failed"
"""The ids of the tests that failed, one a line."""
WORKERS = os.environ.get("E2E_WORKERS", "3")
MOST_AGAIN = 5
"""With more failures than these, something is broken: no second run makes it flaky."""
LIMIT_S = 3600


class Session(NamedTuple):
    """One run of pytest: which tests, and how many at once."""

    name: str
    marks: str
    workers: str


SESSIONS = (
    Session("together", f"not {OWN_OPERATOR} and not {WITH_TRIGGERS} and not alone", WORKERS),
    Session("with operators of their own", OWN_OPERATOR, WORKERS),
    Session("with triggers", WITH_TRIGGERS, WORKERS),
    Session("alone", "alone", "0"),
)


def main(arguments: list[str]) -> int:
    """Run all sessions; return the exit code of ``make e2e``."""
    shutil.rmtree(DUMPS, ignore_errors=True)
    DUMPS.mkdir()
    lines, flaky, is_red = [], [], False
    for session in SESSIONS:
        begun = time.monotonic()
        code = _pytest(
            "-m", session.marks, "-n", session.workers, "--dist", "loadgroup", *arguments
        )
        failed = _failed()
        if code not in (0, 1, 5) or (code == 1 and not failed) or len(failed) > MOST_AGAIN:
            is_red = True
        elif failed:
            again = [test for test in failed if _pytest("-n", "0", test)]
            flaky += [test for test in failed if test not in again]
            is_red = is_red or bool(again)
        lines.append(f"e2e {session.name}: {(time.monotonic() - begun) / 60:.1f} min")
    for test in flaky:
        lines.append(f"FLAKY {test}: failed, then passed alone; see {DUMPS.name}/")
    print("\n".join(lines), flush=True)
    return int(is_red)


def _pytest(*arguments: str) -> int:
    FAILED.unlink(missing_ok=True)
    tests = () if any("::" in argument for argument in arguments) else ("tests/e2e",)
    command = [sys.executable, "-m", "pytest", *arguments, *tests]
    environment = {**os.environ, "E2E_DUMPS": str(DUMPS)}
    return subprocess.run(
        command, cwd=ROOT, env=environment, timeout=LIMIT_S, check=False
    ).returncode


def _failed() -> list[str]:
    return sorted(set(FAILED.read_text().splitlines())) if FAILED.exists() else []


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
