"""Where things stand in an action's pod; tests put all of it below a folder of their own."""

from dataclasses import dataclass
from pathlib import Path

from penstock.api import contracts


@dataclass(frozen=True, slots=True)
class Paths:
    """Every path the agent uses that the request does not name."""

    control: Path = Path(contracts.CONTROL_DIR)
    request: Path = Path(contracts.REQUEST_FILE)
    not_after: Path = Path(contracts.NOT_AFTER_FILE)
    workspace: Path = Path(contracts.WORKSPACE_DIR)
    scratch: Path = Path("/tmp")  # noqa: S108 — a volume that only the agent mounts
    termination: Path = Path("/dev/termination-log")
    token: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount")
