"""The seam between the agent and a provider's ``execution.py``.

An execution is one function, ``run(job: Job) -> Outcome``. Its contract:

- It may run more than once for one attempt. A try whose pod was lost is followed by another one if
  the declaration says RERUN or RESUME, so an effect elsewhere is made under a name or token that
  follows from ``job.request.attempt``.
- It ends before ``job.remaining()`` does, which raises TimedOut; a wait asks it each time.
- It fails by ActionError, with a code and a message that says what to do. Anything else that it
  raises is reported as a fault of the agent's.
- It touches neither store, claim, log file nor termination message: those are the agent's.
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
"""Begins a line of the log in a program's output, even after an unfinished line."""


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

    With ``takes_all_variables`` every file in the report's folder of
    variables is one, without its last newlines.
    """

    text: str
    environment: Mapping[str, str]
    variables: tuple[str, ...] = ()
    takes_all_variables: bool = False


class ProgramEnd(NamedTuple):
    """How a program ended: exit code, notes on its progress, and variables that had a value."""

    exit_code: int
    notes: str
    variables: Mapping[str, str]


class StoredObject(NamedTuple):
    """The try's own object in an S3 artifact store, for anyone else who works on the action."""

    bucket: str
    key: str
    endpoint: str | None = None


class ActionContainer(Protocol):
    """The container with the user's image, beside the agent's."""

    @property
    def program(self) -> Path:
        """Where a program stands when it runs; ``values`` beside it sets its environment."""

    @property
    def report(self) -> Path:
        """The folder where a program keeps ``notes`` and ``variables/<name>``."""

    def run_script(self) -> Outcome:
        """Run the request's script; raise ActionError unless it exits with 0."""

    def run_program(self, program: Program) -> ProgramEnd:
        """Run shell code; raise ActionError on a timeout, or if the container dies or is absent."""

    def write_file(self, path: str, text: str) -> Path:
        """Write a file that the container can read; return where it is."""

    def read_note(self, name: str) -> str:
        """Return a program's short note from the report folder, masked, without last newlines."""


class Outputs(Protocol):
    """Output artifacts. If the execution leaves one out, the source folder is packed at the end."""

    def folder(self, name: str) -> Path:
        """Return an empty folder for the content of an artifact."""

    def store_folder(self, name: str, folder: Path) -> None:
        """Store an artifact from a folder."""

    def store_files(self, name: str, files: Mapping[str, Sequence[str]]) -> None:
        """Store an artifact of single files: path in it to the names below the source folder."""


class Objects(Protocol):
    """Objects of this try's own in the artifact store, for whoever else works on the action.

    Each method raises ActionError (ConfigurationError) where the store is not on S3.
    """

    def location(self, name: str) -> StoredObject:
        """Return where an object stands, or would."""

    def put(self, name: str, file: Path) -> StoredObject:
        """Store a file as an object."""

    def get(self, name: str, file: Path) -> bool:
        """Write an object to a file; return False if it is not there."""


class Reports(Protocol):
    """Test reports, which are told however the action ends."""

    @property
    def stored(self) -> tuple[SuiteReport, ...]:
        """The reports so far."""

    def store(self, report: SuiteReport, document: bytes) -> None:
        """Store a whole report; if that fails, only warn, as the action's end is worth more."""


class Job(Protocol):
    """One try of an action, as its execution sees it: what to do, with what, until when."""

    @property
    def request(self) -> ActionRequest:
        """What to do. Its configuration is resolved, and as the provider's declaration allows."""

    @property
    def pod_uid(self) -> str:
        """Who works on this try: its pod's uid."""

    @property
    def inputs(self) -> Mapping[str, Path]:
        """The folder of each input artifact, verified and unpacked."""

    @property
    def source(self) -> Path:
        """The folder to pack output artifacts from: the first input's, else an empty one."""

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

    @property
    def log_key(self) -> str:
        """The key that the action's log will have in the artifact store."""

    def mask(self, values: Iterable[str]) -> None:
        """Hide more values in everything that leaves the agent as text."""

    def remaining(self) -> float:
        """Return the seconds to the action's deadline; raise ActionError (TimedOut) at zero."""

    def report_external_execution(
        self, external_execution_id: str, url: str = "", percent_complete: int | None = None
    ) -> None:
        """Report this external execution, and how far it came, however the action ends."""

    @property
    def container(self) -> ActionContainer:
        """The container with the user's image."""

    @property
    def outputs(self) -> Outputs:
        """The output artifacts."""

    @property
    def objects(self) -> Objects:
        """Objects of this try's own in the artifact store."""

    @property
    def reports(self) -> Reports:
        """The test reports."""
