"""What starting the agent costs: every action pays for it."""

import subprocess
import sys
from pathlib import Path

import penstock

HEAVY = {
    "pydantic",
    "kubernetes",
    "kopf",
    "boto3",
    "botocore",
    "aiohttp",
    "asyncio",
    "yaml",
    "tarfile",
    "zstandard",
}


def test_agent_imports_nothing_that_not_every_action_needs() -> None:
    code = (
        "import sys, penstock.agent.__main__, penstock.actions.commands.execution; "
        "print(*sys.modules)"
    )
    environment = {"PYTHONPATH": ":".join([str(Path(penstock.__file__).parents[1]), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=30
    )
    assert done.stderr == ""
    assert HEAVY & set(done.stdout.split()) == set()
