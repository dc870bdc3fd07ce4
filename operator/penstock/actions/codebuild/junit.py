"""Reads test results from JUnit XML (B-50) that a hostile command may have written.

expat reads it without a document type, so without entities; depth, cases and texts have limits.
What one testcase says counts: the totals that a suite states about itself may be wrong.
"""

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple
from xml.parsers import expat

# Suites stand in suites; deeper than this is an attack on the reader's stack.
_DEPTH = 100
# Characters that are kept of a name; the rest is cut.
_NAME = 500
# Characters that are kept of a failure's message.
_MESSAGE = 2_000
# Characters that are kept of a failure's trace: its end has the reason.
_DETAILS = 8_000


class CaseStatus(StrEnum):
    """What became of a test case, in the words of AWS's TestCase."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    ERROR = "ERROR"
    SKIPPED = "SKIPPED"


_OUTCOMES = {"failure": CaseStatus.FAILED, "error": CaseStatus.ERROR, "skipped": CaseStatus.SKIPPED}


class JUnitError(ValueError):
    """A file that is no JUnit XML, or more than is read; the message says where."""


class Case(NamedTuple):
    """A test case; ``details`` is its failure's output, ``seconds`` None if the file has none."""

    suite: str
    name: str
    seconds: float | None
    status: CaseStatus = CaseStatus.SUCCEEDED
    message: str = ""
    details: str = ""


def parse(data: bytes, most: int) -> list[Case]:
    """Return a file's test cases, up to the limit; raise JUnitError if it is no JUnit XML."""
    reader = _Reader(most)
    try:
        reader.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise JUnitError(
            f"it is no XML: {expat.ErrorString(error.code)}, line {error.lineno}"
        ) from error
    except (ValueError, LookupError) as error:
        raise JUnitError(str(error)) from error
    return reader.cases


class _Reader:
    """Takes expat's events. ``_case`` is the open testcase, ``_outcome`` its failure or similar."""

    def __init__(self, most: int) -> None:
        self.cases: list[Case] = []
        self._most = most
        self._open: list[str] = []
        self._suites: list[str] = []
        self._case: Case | None = None
        self._text: list[str] | None = None
        self._length = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def _doctype(self, *_: object) -> None:
        raise JUnitError("a document type (DOCTYPE) is not read")

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        # Some tools put a namespace in front.
        tag = tag.rpartition(":")[2]
        if not self._open and tag not in ("testsuites", "testsuite"):
            raise JUnitError(f"its root is <{tag[:_NAME]}>, not <testsuites> or <testsuite>")
        if len(self._open) >= _DEPTH:
            raise JUnitError(f"it is nested more than {_DEPTH} levels deep")
        self._open.append(tag)
        if tag in ("testsuites", "testsuite"):
            self._suites.append(attributes.get("name", ""))
        elif tag == "testcase":
            self._begin_case(attributes)
        elif self._case and tag in _OUTCOMES and self._case.status is CaseStatus.SUCCEEDED:
            message = (attributes.get("message") or attributes.get("type") or "")[:_MESSAGE]
            self._keep(self._case._replace(status=_OUTCOMES[tag], message=message))
            self._text, self._length = [], 0

    def _begin_case(self, attributes: Mapping[str, str]) -> None:
        if len(self.cases) >= self._most:
            raise JUnitError(f"there are more than {self._most} test cases")
        suite = attributes.get("classname") or (self._suites[-1] if self._suites else "")
        self._case = Case(
            suite[:_NAME], attributes.get("name", "")[:_NAME], _seconds(attributes.get("time"))
        )
        self.cases.append(self._case)

    def _keep(self, case: Case) -> None:
        self._case = self.cases[-1] = case

    def _characters(self, data: str) -> None:
        if self._text is not None and self._length < _DETAILS:
            self._text.append(data)
            self._length += len(data)

    def _end(self, tag: str) -> None:
        tag = self._open.pop()
        if tag in ("testsuites", "testsuite"):
            self._suites.pop()
        elif tag == "testcase":
            self._case = None
        elif tag in _OUTCOMES and self._case and self._text is not None:
            self._keep(self._case._replace(details="".join(self._text)[:_DETAILS].strip()))
            self._text = None


def _seconds(text: str | None) -> float | None:
    """Return a duration; some tools write 1,234.5, and what is none is left out."""
    try:
        seconds = float((text or "").replace(",", ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and 0 <= seconds < 1e9 else None
