"""A pod for one test: the real agent and the real wrapper on a folder, a
store on a folder beside it.
"""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from obstore.store import LocalStore

from penstock.agent.agent import Agent
from penstock.agent.paths import Paths
from penstock.api.contract.contracts import (
    CONTROL_DIR,
    ActionRequest,
    ActionResult,
    ArtifactLocation,
    ArtifactOrder,
    Attempt,
    Limits,
    Script,
    ScriptCommand,
    StoreLocation,
)
from penstock.api.contract.wrapper import WRAPPER
from penstock.artifacts.packing import Tree, pack
from penstock.artifacts.store.store import Store

ATTEMPT = Attempt("team", "shop", "p-uid", "shop-1", "r-uid", "Build", "Compile", 1, 1)
LIMITS = Limits(timeout_s=20, grace_s=0.3, kill_s=2, log_drain_s=0.3, store_timeout_s=5)
SHELLS = {"dash": ["dash"], "bash": ["bash"], "busybox": ["busybox", "sh"]}


def script(*commands: str, **fields: Any) -> Script:
    return Script(tuple(ScriptCommand(text, text) for text in commands))._replace(**fields)


def request(**fields: Any) -> ActionRequest:
    base = ActionRequest(1, ATTEMPT, "commands", StoreLocation("bucket"), limits=LIMITS)
    return base._replace(**fields)


@dataclass
class Pod:
    """``shell`` is the action image's sh. In a process namespace PID 1 is the
    wrapper, as in a container.
    """

    root: Path
    shell: list[str] = field(default_factory=lambda: ["dash"])
    in_namespace: bool = True
    uid: str = "pod-1"

    def __post_init__(self) -> None:
        self.paths = Paths(
            control=self.root / "control",
            request=self.root / "request",
            not_after=self.root / "not-after",
            workspace=self.root / "workspace",
            scratch=self.root / "scratch",
            termination=self.root / "termination",
            token=self.root / "token",
        )
        for path in (
            self.paths.control,
            self.paths.workspace,
            self.paths.scratch,
            self.root / "store",
        ):
            path.mkdir(parents=True)
        self.backend = LocalStore(self.root / "store")
        self.store = Store(self.backend, "The artifact store")
        self.paths.not_after.write_text(str(int(time.time()) + 60))
        self.wrapper: subprocess.Popen[bytes] | None = None

    def start_action(self) -> subprocess.Popen[bytes]:
        program = WRAPPER.replace(CONTROL_DIR, str(self.paths.control))
        namespace = ["unshare", "-pf", "--mount-proc"] if self.in_namespace else []
        environment = {**os.environ, "PATH": f"{self._image()}:{os.environ['PATH']}"}
        self.wrapper = subprocess.Popen(
            [*namespace, *self.shell, "-c", program], start_new_session=True, env=environment
        )
        return self.wrapper

    def _image(self) -> Path:
        """Return a folder where ``sh`` is this pod's shell, as it is in an image."""
        folder = self.root / "bin"
        folder.mkdir()
        path = shutil.which(self.shell[0])
        assert path, f"{self.shell[0]} is not installed"
        (folder / "sh").symlink_to(path)
        return folder

    def run(self, wanted: ActionRequest) -> ActionResult:
        """Run both containers to their end."""
        self.paths.request.write_text(wanted.encode())
        if wanted.script or wanted.build or wanted.custom:
            self.start_action()
        return self.run_agent()

    def run_agent(self) -> ActionResult:
        """Run the agent in this process; it ignores SIGTERM in the end, which
        later tests' children would inherit.
        """
        before = signal.getsignal(signal.SIGTERM)
        try:
            with (self.root / "stdout").open("wb") as stdout:
                result = Agent(self.paths, self.uid, stdout.fileno(), self.store).run()
        finally:
            signal.signal(signal.SIGTERM, before)
        assert ActionResult.decode(self.paths.termination.read_text()) == result
        return result

    @property
    def stdout(self) -> str:
        return (self.root / "stdout").read_text()

    @property
    def exit_code(self) -> int:
        assert self.wrapper
        return self.wrapper.wait(timeout=10)

    def stored(self, key: str) -> bytes:
        return (self.root / "store" / key).read_bytes()

    def put_input(self, name: str, files: dict[str, str]) -> ArtifactLocation:
        folder = self.root / "inputs" / name
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        with self.store.upload(f"in/{name}", 1 << 30) as upload:
            pack(Tree(str(self.root / "inputs"), [name], name, (), 1000, 10**9), upload)
        return ArtifactLocation(name, f"in/{name}", upload.size, upload.digest.hexdigest())


def order(name: str, *files: str) -> ArtifactOrder:
    return ArtifactOrder(name, files)


def is_root() -> bool:
    return os.geteuid() == 0
