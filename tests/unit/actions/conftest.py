"""What tests of executions share."""

from collections.abc import Iterator

import pytest

from penstock.actions.kubernetes.live import server
from tests.unit.actions.api_server import ApiServer


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """Serve the API to executions."""
    served = ApiServer()
    monkeypatch.setattr(server, "_address", lambda: served.address)
    yield served
    served.close()
