"""What the row of a try holds: its error, its artifacts, its reports, the project it ran on."""

from typing import Annotated

from pydantic import Field

from penstock.api.model import ATOMIC, Model


class ErrorDetails(Model):
    """Why an action did not succeed (X-30): a code to match on and a sentence to read."""

    code: str
    message: str = ""


class StoredArtifact(Model):
    """An artifact as stored: size in bytes, sha256 in hex."""

    name: str
    key: str | None = None
    """Its key within the store; absent where it follows from who made it: `penstock.api.keys.artifact_key`."""
    size: int
    sha256: str
    format: str = "tar.zst"


class FailedTest(Model):
    """A test that failed: ``suite`` is its class or suite, ``message`` the beginning of what it said."""

    suite: str | None = None
    name: str
    message: str | None = None


class BuildReport(Model):
    """A report group of a build (B-50): counts of test cases, and the first that failed."""

    name: str
    total: int = 0
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    duration_seconds: float | None = None
    failed_tests: Annotated[tuple[FailedTest, ...], Field(json_schema_extra=ATOMIC)] = ()
    key: str | None = None
    """The key of the whole report, JSON, in the artifact store."""
