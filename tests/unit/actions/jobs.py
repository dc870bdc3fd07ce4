"""A job for executions that run without an agent around them."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from penstock.actions.execution import TIMED_OUT, ActionError, Outcome, Program, ProgramEnd, StoredObject
from penstock.api.contract.contracts import ActionRequest, Attempt, Limits, StoreLocation, SuiteReport

ATTEMPT = Attempt("team", "shop", "p-uid", "shop-1", "r-uid", "Source", "Checkout", 1, 1)


def request(provider: str, configuration: Mapping[str, str], revision: str | None = None) -> ActionRequest:
    limits = Limits(timeout_s=20, connect_s=2)
    store = StoreLocation("bucket")
    return ActionRequest(1, ATTEMPT, provider, store, configuration, revision=revision, limits=limits)


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
        self.report, self.program = self.root / "report", self.root / "program"
        for path in (self.source, self.scratch, self.token_dir):
            path.mkdir(parents=True, exist_ok=True)
        self.log_key = ""
        self.identified = ""
        self.masked: list[str] = []
        self.objects: dict[str, bytes] = {}
        self.stored: dict[str, dict[str, str]] = {}
        self.reports: tuple[SuiteReport, ...] = ()
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

    def run_program(self, program: Program) -> ProgramEnd:
        raise NotImplementedError

    def store_files(self, name: str, files: Mapping[str, Sequence[str]]) -> None:
        raise NotImplementedError

    def output_folder(self, name: str) -> Path:
        (folder := self.root / "out" / name).mkdir(parents=True)
        return folder

    def store_folder(self, name: str, folder: Path) -> None:
        self.stored[name] = {
            str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()
        }

    def object_location(self, name: str) -> StoredObject:
        return StoredObject(self.request.store.bucket, f"objects/{name}", self.request.store.endpoint)

    def put_object(self, name: str, file: Path) -> StoredObject:
        self.objects[name] = file.read_bytes()
        return self.object_location(name)

    def get_object(self, name: str, file: Path) -> bool:
        if name in self.objects:
            file.write_bytes(self.objects[name])
        return name in self.objects

    def store_report(self, report: SuiteReport, document: bytes) -> None:
        raise NotImplementedError

    def report_external_execution(
        self, external_execution_id: str, url: str = "", percent_complete: int | None = None
    ) -> None:
        self.identified = external_execution_id

    def write_file(self, path: str, text: str) -> Path:
        raise NotImplementedError

    def read_note(self, name: str) -> str:
        raise NotImplementedError

    def run_script(self) -> Outcome:
        raise NotImplementedError
