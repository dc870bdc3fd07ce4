"""Set-ups that all workers of one test session share: the first worker makes them."""

from __future__ import annotations

import fcntl
from collections.abc import Callable

import pytest


def once(
    factory: pytest.TempPathFactory, session: str, name: str, make: Callable[[], object]
) -> None:
    """Call ``make`` in the first worker that comes here; the others wait until it has returned.

    ``session`` is pytest-xdist's ``testrun_uid``. If ``make`` raises, the next worker tries.
    """
    folder = factory.getbasetemp().parent
    done = folder / f"{name}-{session}"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            make()
            done.touch()
