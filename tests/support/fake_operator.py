"""The real operator on a fake server: its own wiring, without Lease, watches and ports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from penstock.api.kinds.pipeline import ArtifactStore
from penstock.cluster.credentials import Credentials
from penstock.cluster.resources import POLICIES, POLICY_BINDINGS
from penstock.controller.operator import Operator, OperatorSettings
from penstock.engine.settings import Settings
from tests.support.fake_client import FakeClient
from tests.support.fake_server import FakeServer

POLICY = "penstock-approvals"
STORE = ArtifactStore(type="S3", location="artifacts")


def operator_on(
    client: FakeClient,
    engine: Settings | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Operator:
    """Return an operator that knows nothing yet; all that it sends goes through ``client``."""
    settings = OperatorSettings(
        None, engine=engine or Settings(), default_store=STORE, port=None, approval_policy=POLICY
    )
    return Operator(Credentials("http://fake"), settings, client=client, clock=clock)


async def know_all(made: Operator) -> None:
    """Let an operator list everything, as one does that begins to lead."""
    await made._resync()


def guard_approvals(server: FakeServer) -> None:
    """Install the admission policy that guards Approvals."""
    header = {"metadata": {"name": POLICY}}
    server.create(POLICIES, "", {**header, "spec": {"failurePolicy": "Fail"}})
    bound = {"policyName": POLICY, "validationActions": ["Deny"]}
    server.create(POLICY_BINDINGS, "", {**header, "spec": bound})
