"""The agent as a process of its own, on the folder of a test's pod: what
main() does with the paths of a pod.
"""

import sys
from pathlib import Path

from obstore.store import LocalStore

from penstock.agent import interrupt
from penstock.agent.agent import Agent
from penstock.agent.paths import Paths
from penstock.artifacts.store.store import Store

if __name__ == "__main__":
    interrupt.watch()
    root = Path(sys.argv[1])
    names = ("control", "request", "not-after", "workspace", "scratch", "termination", "token")
    Agent(
        Paths(*(root / name for name in names)), "pod-1", 1, Store(LocalStore(root / "store"), "x")
    ).run()
