"""A cluster that someone else runs, named by KUBECONFIG: it only gets the development servers.

Not tried where this was written (there was no other cluster). Images cannot be put onto its nodes from here, so
they have to be reachable under the names that `up` prints.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.cluster import dev_servers
from tests.cluster.images import AWS_SERVERS, DEV_SERVERS, PENSTOCK
from tests.cluster.places import Places
from tests.cluster.shell import ClusterError, say, step, write


def wanted(places: Places) -> bool:
    """Tell whether the environment names a cluster that this driver did not start."""
    value = os.environ.get("KUBECONFIG", "")
    own = {places.kubeconfig, places.state / "kind.kubeconfig"}
    return bool(value) and Path(value).resolve() not in own


def _kubeconfig() -> Path:
    return Path(os.environ["KUBECONFIG"]).resolve()


def node_ip(places: Places, kubeconfig: Path) -> str:
    """Return the first node's internal address, where its node ports are."""
    nodes = json.loads(dev_servers.kubectl(places, kubeconfig, "get", "nodes", "-o", "json"))
    for node in nodes["items"]:
        for address in node["status"]["addresses"]:
            if address["type"] == "InternalIP":
                return str(address["address"])
    raise ClusterError("the cluster has no node with an internal address")


def problems(places: Places) -> list[str]:
    """Return what keeps the cluster from being of use."""
    try:
        address = node_ip(places, _kubeconfig())
    except ClusterError as error:
        return [str(error)]
    cluster = dev_servers.describe(places, "given", _kubeconfig(), address, None)
    return [] if dev_servers.ready(cluster) else ["the S3 or Git server does not answer"]


def up(places: Places) -> None:
    """Check that the cluster answers and start the servers."""
    kubeconfig = _kubeconfig()
    cluster = dev_servers.describe(places, "given", kubeconfig, node_ip(places, kubeconfig), None)
    needed = " ".join(image.reference for image in (DEV_SERVERS, AWS_SERVERS, PENSTOCK))
    say(f"images the cluster must have or be able to pull: {needed}")
    with step("S3 and Git servers"):
        dev_servers.apply(places, kubeconfig)
        dev_servers.wait(cluster, limit=180)
    dev_servers.apply_aws(places, kubeconfig)
    write(places.cluster_json, json.dumps(cluster.to_json(), indent=1) + "\n")


def down(places: Places) -> None:
    """Remove the servers; the cluster is not ours to stop."""
    words = ["delete", "namespace", "penstock-dev", "--ignore-not-found", "--timeout=60s"]
    dev_servers.kubectl(places, _kubeconfig(), *words, limit=90)
    places.cluster_json.unlink(missing_ok=True)


def image(_: Places) -> None:
    """Say what to do; there is no way to reach the nodes' image stores from here."""
    say(f"build operator/Dockerfile and push it where the cluster finds it as {PENSTOCK.reference}")
