"""The Lease against the real API server: one holder at a time, and none that
writes past its time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from penstock.cluster.credentials import Credentials
from penstock.cluster.lease import Lease, LeaseSettings, clock
from tests.integration.test_endpoints import credentials_of
from tests.support.kube import Kube, eventually

DURATION_S = 3.0


class Lost(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def leases(kube: Kube, namespace: str) -> Iterator[list[Lease]]:
    """Two competitors, in a namespace where their account may write leases."""
    account = {"metadata": {"name": "operator"}}
    kube.create("serviceaccounts", namespace, account)
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"}
    subject = {"kind": "ServiceAccount", "name": "operator", "namespace": namespace}
    rules = [
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "verbs": ["get", "create", "patch"],
        }
    ]
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    kube.request("POST", f"{path}/roles", {"metadata": {"name": "leases"}, "rules": rules})
    binding = {"roleRef": {**role, "kind": "Role", "name": "leases"}, "subjects": [subject]}
    kube.request("POST", f"{path}/rolebindings", {"metadata": {"name": "leases"}, **binding})
    credentials = credentials_of(kube, kube.token_of(namespace, "operator"))
    made = [lease_of(credentials, namespace, identity) for identity in ("one", "two")]
    yield made
    for lease in made:
        if lease._thread.is_alive():
            lease.stop()


def lease_of(credentials: Credentials, namespace: str, identity: str) -> Lease:
    settings = LeaseSettings(
        namespace, "test", identity, duration_s=DURATION_S, renew_s=0.5, write_timeout_s=1.0
    )
    lease = Lease(credentials, settings)

    def lost() -> None:
        raise Lost

    lease.on_lost = lost
    return lease


def test_second_waits_while_the_first_renews_and_follows_at_once_when_it_is_given_back(
    leases: list[Lease],
) -> None:
    one, two = leases
    one.start()
    eventually(lambda: one.is_held, 10, "the first holds it")
    two.start()
    time.sleep(2 * DURATION_S)  # what must not happen gets its chance
    assert one.is_held
    assert not two.is_held

    one.stop()
    eventually(lambda: two.is_held, 10, "the second holds it")
    assert not one.is_held


def test_lease_of_a_dead_holder_is_taken_over_after_its_duration(
    kube: Kube, namespace: str, leases: list[Lease]
) -> None:
    spec = {
        "holderIdentity": "dead",
        "leaseDurationSeconds": 2,
        "renewTime": "2026-11-21T12:00:00.000000Z",
    }
    kube.create("leases", namespace, {"metadata": {"name": "test"}, "spec": spec})
    one, _ = leases
    one.start()
    eventually(lambda: one.is_held, 15, "the lease taken over")
    taken = kube.get("leases", namespace, "test")["spec"]
    assert (taken["holderIdentity"], taken["leaseTransitions"]) == ("one", 1)


def test_holder_that_could_not_renew_in_time_may_not_write(
    kube: Kube, namespace: str, leases: list[Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after SIGSTOP: the monotonic clock has passed the lease, whatever the holder believes."""
    one, _ = leases
    one.start()
    eventually(lambda: one.is_held, 10, "the lease held")
    one.check()
    one._stopping.set()
    one._thread.join(timeout=10)
    one._held.set()
    monkeypatch.setattr(one, "_expires", clock() + 0.5)
    with pytest.raises(Lost):
        one.check()


def test_restarted_container_of_the_same_pod_goes_on_at_once(
    leases: list[Lease], kube: Kube, namespace: str
) -> None:
    spec = {
        "holderIdentity": "one",
        "leaseDurationSeconds": 600,
        "renewTime": "2026-11-21T12:00:00.000000Z",
    }
    kube.create("leases", namespace, {"metadata": {"name": "test"}, "spec": spec})
    one, _ = leases
    one.start()
    eventually(lambda: one.is_held, 10, "its own lease held again")


def test_attack_10_lease_deleted_under_its_holder_is_lost_and_followed_only_after_its_time(
    kube: Kube, namespace: str, leases: list[Lease]
) -> None:
    one, two = leases
    lost = threading.Event()
    one.on_lost = lost.set
    one.start()
    eventually(lambda: one.is_held, 15, "the first holds it")
    two.start()
    kube.request("DELETE", kube.path("leases", namespace, "test"))

    gone = clock()
    assert lost.wait(10)
    eventually(lambda: two.is_held or one.is_held, 20, "somebody holds it again")
    assert clock() - gone > DURATION_S


@pytest.mark.parametrize("holder", ["somebody", "two", None])
def test_attack_10_lease_whose_holder_was_edited_is_lost_and_followed_only_after_its_time(
    kube: Kube, namespace: str, leases: list[Lease], holder: str | None
) -> None:
    one, two = leases
    lost = threading.Event()
    one.on_lost = lost.set
    one.start()
    eventually(lambda: one.is_held, 15, "the first holds it")
    two.start()
    eventually(lambda: two._saw_another, 15, "the second has seen who holds it")
    edited = clock()
    kube.patch(
        "leases", namespace, "test", {"spec": {"holderIdentity": holder, "leaseDurationSeconds": 1}}
    )

    assert lost.wait(10)
    eventually(lambda: two.is_held or one.is_held, 20, "somebody holds it again")
    assert clock() - edited > DURATION_S


def test_lease_that_nobody_ever_held_is_taken_at_once(
    kube: Kube, namespace: str, leases: list[Lease]
) -> None:
    """As the chart makes it."""
    kube.create("leases", namespace, {"metadata": {"name": "test"}})
    one, _ = leases
    one.start()
    eventually(lambda: one.is_held, 15, "the lease held")
    assert kube.get("leases", namespace, "test")["spec"]["holderIdentity"] == "one"
    assert not one._saw_another, "it waited nobody out"
