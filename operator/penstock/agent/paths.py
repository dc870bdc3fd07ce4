"""Where things stand in an action's pod; tests put all of it below a folder of their own."""

from pathlib import Path
from typing import NamedTuple

from penstock.api.contract import contracts


class Paths(NamedTuple):
    """Every path the agent uses that the request does not name."""

    control: Path = Path(contracts.CONTROL_DIR)
    request: Path = Path(contracts.REQUEST_FILE)
    not_after: Path = Path(contracts.NOT_AFTER_FILE)
    workspace: Path = Path(contracts.WORKSPACE_DIR)
    scratch: Path = Path("/tmp")  # noqa: S108 — a volume that only the agent mounts
    termination: Path = Path("/dev/termination-log")
    token: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount")
