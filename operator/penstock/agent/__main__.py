"""Starts the agent: ``penstock-agent``, or ``python3 -m penstock.agent``."""

import os
import sys
from typing import NoReturn

from penstock.agent import interrupt
from penstock.agent.agent import Agent
from penstock.agent.paths import Paths
from penstock.agent.result import SUCCEEDED

# Whoever runs the action shares our group and must be able to change what we unpack.
_UMASK = 0o002


def main() -> NoReturn:
    """Run the action of this pod; exit with 0 only if it succeeded."""
    interrupt.watch()
    os.umask(_UMASK)
    result = Agent(Paths(), os.environ.get("PENSTOCK_POD_UID", ""), sys.stdout.fileno()).run()
    # Everything is written; taking the interpreter and its libraries' threads down would only cost
    # the action time.
    os._exit(0 if result.status == SUCCEEDED else 1)


if __name__ == "__main__":
    main()
