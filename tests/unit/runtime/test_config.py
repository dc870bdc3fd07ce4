"""The names of values in configuration files, and those that version 0.1 had."""

from __future__ import annotations

import logging

import pytest

from penstock.cluster.lease import LeaseSettings
from penstock.engine.settings import Settings
from penstock.runtime.config import ConfigError, read_lease, read_settings, value_name


def test_value_is_named_in_camel_case_with_its_unit() -> None:
    names = [value_name(name) for name in ("image_pull_s", "status_bytes", "parallel")]
    assert names == ["imagePullSeconds", "statusBytes", "parallel"]


def test_old_name_is_still_read_and_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        settings = read_settings(Settings, {"start_s": 5, "limits": {"grace_s": 7}}, "engine")
    assert (settings.start_s, settings.limits.grace_s) == (5, 7)
    assert sorted(record.getMessage() for record in caplog.records) == [
        "engine.limits.grace_s is now graceSeconds: version 0.3 reads the new name alone",
        "engine.start_s is now startSeconds: version 0.3 reads the new name alone",
    ]


def test_old_name_of_a_user_wins_over_the_charts_default() -> None:
    document = {"namespace": "n", "name": "penstock", "durationSeconds": 15, "duration_s": 30}
    lease = read_lease(document, "me")
    assert isinstance(lease, LeaseSettings)
    assert lease.duration_s == 30


def test_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"engine\.limits\.grace: unknown; known are .*graceSec"):
        read_settings(Settings, {"limits": {"grace": 7}}, "engine")
