"""What an answer of the API server says of an object that was to be;
integration/test_refusals.py has real ones.
"""

from datetime import UTC, datetime

import pytest

from penstock.cluster.errors import ClusterError, UnavailableError, error_of
from penstock.controller.refusals import NameTakenError, Refusals, refusal_of
from penstock.engine.snapshot import Refused

NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "reason", "message", "expected"),
    [
        (
            403,
            "Forbidden",
            "exceeded quota: none, requested: count/jobs.batch=1",
            ("QuotaExceeded", False),
        ),
        (
            403,
            "Forbidden",
            "unable to create new content in namespace x because it is being terminated",
            ("NamespaceTerminating", False),
        ),
        (403, "Forbidden", "jobs.batch is forbidden: User cannot create", ("Forbidden", False)),
        (401, "Unauthorized", "Unauthorized", ("Forbidden", False)),
        (422, "Invalid", "spec.template: Invalid value", ("Invalid", True)),
        (400, "BadRequest", "strict decoding error", ("Invalid", True)),
        (
            413,
            "RequestEntityTooLarge",
            "Request entity too large: limit is 3145728",
            ("TooLarge", True),
        ),
        (500, "InternalError", "etcdserver: request is too large", ("TooLarge", True)),
        (500, "InternalError", "failed calling webhook", ("InternalError", False)),
        (418, "", "", ("Refused", False)),
        (429, "TooManyRequests", "slow down", None),
        (503, "ServiceUnavailable", "not ready", None),
        (504, "Timeout", "timed out", None),
        (404, "NotFound", "not found", None),
        (409, "Conflict", "the object has been modified", None),
        (409, "AlreadyExists", "already exists", None),
        (410, "Expired", "too old", None),
    ],
)
def test_attack_06_refusal_says_whether_it_may_pass(
    status: int, reason: str, message: str, expected: tuple[str, bool] | None
) -> None:
    found = refusal_of(error_of("POST /jobs", status, reason, message), NOW)
    assert (found and (found.reason, found.is_final)) == expected


def test_silence_of_the_server_says_nothing_about_the_object() -> None:
    assert refusal_of(UnavailableError("POST /jobs", "no answer"), NOW) is None


def test_name_that_is_taken_may_become_free() -> None:
    found = refusal_of(NameTakenError("Job a/b exists"), NOW)
    assert found == Refused("NameTaken", "Job a/b exists", NOW)


def test_refusals_are_remembered_by_namespace_and_in_limits() -> None:
    refusals = Refusals()
    refusals.add("calm", "job", Refused("Invalid", "no", NOW))
    for number in range(1_500):
        refusals.add("noisy", f"job-{number}", Refused("Invalid", "no", NOW))

    assert list(refusals.of("calm")) == ["job"]
    assert len(refusals.of("noisy")) == 1_000
    refusals.forget("calm", "job")
    refusals.forget("calm", "job")
    assert refusals.of("calm") == {}


def test_errors_that_nobody_foresaw_are_no_refusals_of_an_object() -> None:
    assert refusal_of(ClusterError("GET /x", "?", 0), NOW) is None
