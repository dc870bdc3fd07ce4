"""What several unit tests of the penstock command share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import Command, commanding


@pytest.fixture
def penstock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Return the command, against a local server whose namespace is empty."""
    with commanding(tmp_path, monkeypatch, capsys) as command:
        yield command
