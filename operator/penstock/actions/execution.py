"""The seam between the agent and a provider's ``execution.py``.

A provider's execution is one function, ``run(job: Job) -> Outcome``. It works on the folders and limits that
the job gives it, raises ActionError to fail with a code and a message of its own, and touches neither store,
claim, log file nor termination message: those are the agent's.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from penstock.api.contract.contracts import NOTHING, ActionRequest, Revision, SuiteReport

JOB_FAILED = "JobFailed"
CONFIGURATION_ERROR = "ConfigurationError"
PERMISSION_ERROR = "PermissionError"
REVISION_UNAVAILABLE = "RevisionUnavailable"
REVISION_OUT_OF_SYNC = "RevisionOutOfSync"
SYSTEM_UNAVAILABLE = "SystemUnavailable"
FAILURE_TYPES = (
    JOB_FAILED,
    CONFIGURATION_ERROR,
    PERMISSION_ERROR,
    REVISION_OUT_OF_SYNC,
    REVISION_UNAVAILABLE,
    SYSTEM_UNAVAILABLE,
)
"""X-08: what functions and custom actions may fail with."""
TIMED_OUT = "TimedOut"
LINE_START = "\x1e"
"""In a program's output: what follows begins a line of the log, whether or not one is unfinished."""


class ActionError(Exception):
    """The action fails. ``code`` is one of CodePipeline's failure types, or a more telling word."""

    def __init__(self, code: str, message: str, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.exit_code = exit_code


class Outcome(NamedTuple):
    """What a succeeded action reports beside its output artifacts."""

    variables: Mapping[str, str] = NOTHING
    revision: Revision | None = None
    external_execution_id: str = ""
    external_execution_url: str = ""
    summary: str = ""
    exit_code: int | None = None


class Program(NamedTuple):
    """Shell code for the action's container; ``variables`` are those whose last values it keeps.

    With ``takes_all_variables`` every file in the report's folder of variables is one, without its last newlines.
    """

    text: str
    environment: Mapping[str, str]
    variables: tuple[str, ...] = ()
    takes_all_variables: bool = False


class ProgramEnd(NamedTuple):
    """How a program ended: its exit code, what it noted about its progress, the variables that had a value."""

    exit_code: int
    notes: str
    variables: Mapping[str, str]


class StoredObject(NamedTuple):
    """An object of this try's own in an artifact store on S3, for whoever else works on the action."""

    bucket: str
    key: str
    endpoint: str | None = None


class Job(Protocol):
    """One try of an action, as its execution sees it."""

    @property
    def request(self) -> ActionRequest:
        """What to do."""

    @property
    def pod_uid(self) -> str:
        """Who works on this try: its pod's uid."""

    @property
    def inputs(self) -> Mapping[str, Path]:
        """The folder of each input artifact, unpacked."""

    @property
    def source(self) -> Path:
        """The folder that output artifacts are packed from: the first input's, else an empty one."""

    @property
    def scratch(self) -> Path:
        """A folder that the action's container cannot see."""

    @property
    def token_dir(self) -> Path:
        """The folder with the service account's token, ca.crt and namespace."""

    def secret(self, key: str) -> Path | None:
        """Return the folder of the Secret that a configuration key names, None if it names none."""

    def log(self, line: str) -> None:
        """Write a line to the action's log, masked."""

    def mask(self, values: Iterable[str]) -> None:
        """Hide more values in everything that leaves the agent as text."""

    @property
    def log_key(self) -> str:
        """The key that the action's log will have in the artifact store."""

    def remaining(self) -> float:
        """Return the seconds until the action's deadline; raise ActionError (TimedOut) when none are left."""

    @property
    def report(self) -> Path:
        """The folder where a program keeps ``notes`` and ``variables/<name>``."""

    @property
    def program(self) -> Path:
        """Where a program stands when it runs; ``values`` beside it sets its environment."""

    def run_program(self, program: Program) -> ProgramEnd:
        """Run shell code in the action's container; raise ActionError if it times out or the container dies."""

    def store_files(self, name: str, files: Mapping[str, Sequence[str]]) -> None:
        """Store an output artifact of single files: path in the artifact to the names below the source folder."""

    def store_folder(self, name: str, folder: Path) -> None:
        """Store an output artifact from a folder other than the source folder; `output_folder` gives one."""

    def output_folder(self, name: str) -> Path:
        """Return an empty folder for the content of an output artifact."""

    def object_location(self, name: str) -> StoredObject:
        """Return where an object of this name stands, or would; raise ActionError where the store is not on S3."""

    def put_object(self, name: str, file: Path) -> StoredObject:
        """Store a file as an object of this try's own."""

    def get_object(self, name: str, file: Path) -> bool:
        """Write an object of this try's own to a file; return False if it is not there."""

    @property
    def reports(self) -> tuple[SuiteReport, ...]:
        """The reports stored so far."""

    def store_report(self, report: SuiteReport, document: bytes) -> None:
        """Store a whole report, and report its figures however the action ends."""

    def report_external_execution(
        self, external_execution_id: str, url: str = "", percent_complete: int | None = None
    ) -> None:
        """Report this external execution, and how far it came, however the action ends."""

    def write_file(self, path: str, text: str) -> Path:
        """Write a file that the action's container can read; return where it is."""

    def read_note(self, name: str) -> str:
        """Return a short text that the program left in the report folder, masked, without its last newlines."""

    def run_script(self) -> Outcome:
        """Run the request's script in the action container; raise ActionError unless it exits with 0."""
