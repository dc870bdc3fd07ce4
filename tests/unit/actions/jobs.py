"""A job for executions that run without an agent around them."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from penstock.actions.execution import (
    TIMED_OUT,
    ActionError,
    Outcome,
    Program,
    ProgramEnd,
    StoredObject,
)
from penstock.api.contract.contracts import (
    ActionRequest,
    Attempt,
    Limits,
    StoreLocation,
    SuiteReport,
)

ATTEMPT = Attempt("team", "shop", "p-uid", "shop-1", "r-uid", "Source", "Checkout", 1, 1)


def request(
    provider: str, configuration: Mapping[str, str], revision: str | None = None
) -> ActionRequest:
    limits = Limits(timeout_s=20, connect_s=2)
    store = StoreLocation("bucket")
    return ActionRequest(
        1, ATTEMPT, provider, store, configuration, revision=revision, limits=limits
    )


class NoContainer:
    """The container of an action that has none."""

    def __init__(self, root: Path) -> None:
        self.report, self.program = root / "report", root / "program"

    def run_script(self) -> Outcome:
        raise NotImplementedError

    def run_program(self, program: Program) -> ProgramEnd:
        raise NotImplementedError

    def write_file(self, path: str, text: str) -> Path:
        raise NotImplementedError

    def read_note(self, name: str) -> str:
        raise NotImplementedError


@dataclass
class FakeOutputs:
    """Keeps the content of artifacts."""

    root: Path
    stored: dict[str, dict[str, str]] = field(default_factory=dict)

    def folder(self, name: str) -> Path:
        (folder := self.root / "out" / name).mkdir(parents=True)
        return folder

    def store_folder(self, name: str, folder: Path) -> None:
        files = (path for path in folder.rglob("*") if path.is_file())
        self.stored[name] = {str(path.relative_to(folder)): path.read_text() for path in files}

    def store_files(self, name: str, files: Mapping[str, Sequence[str]]) -> None:
        raise NotImplementedError


@dataclass
class FakeObjects:
    """Keeps objects by name."""

    request: ActionRequest
    stored: dict[str, bytes] = field(default_factory=dict)

    def location(self, name: str) -> StoredObject:
        return StoredObject(
            self.request.store.bucket, f"objects/{name}", self.request.store.endpoint
        )

    def put(self, name: str, file: Path) -> StoredObject:
        self.stored[name] = file.read_bytes()
        return self.location(name)

    def get(self, name: str, file: Path) -> bool:
        if name in self.stored:
            file.write_bytes(self.stored[name])
        return name in self.stored


class NoReports:
    """The reports of an action that makes none."""

    stored: tuple[SuiteReport, ...] = ()

    def store(self, report: SuiteReport, document: bytes) -> None:
        raise NotImplementedError


@dataclass
class FakeJob:
    """The seam, filled by hand."""

    root: Path
    request: ActionRequest
    inputs: dict[str, Path] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    pod_uid: str = "pod-uid"

    def __post_init__(self) -> None:
        self.source = self.root / "workspace/src/_"
        self.scratch = self.root / "scratch"
        self.token_dir = self.root / "token"
        for path in (self.source, self.scratch, self.token_dir):
            path.mkdir(parents=True, exist_ok=True)
        self.log_key = ""
        self.identified = ""
        self.masked: list[str] = []
        self.container, self.reports = NoContainer(self.root), NoReports()
        self.outputs, self.objects = FakeOutputs(self.root), FakeObjects(self.request)
        self._end = time.monotonic() + self.request.limits.timeout_s

    def secret(self, key: str) -> Path | None:
        folder = self.request.secrets.get(key)
        return Path(folder) if folder else None

    def log(self, line: str) -> None:
        self.lines.append(line)

    def deadline_in(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def mask(self, values: Iterable[str]) -> None:
        self.masked.extend(values)

    def remaining(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise ActionError(TIMED_OUT, f"Timed out after {self.request.limits.timeout_s:g} s")
        return left

    def report_external_execution(
        self, external_execution_id: str, url: str = "", percent_complete: int | None = None
    ) -> None:
        self.identified = external_execution_id
