"""A cluster that someone else runs, named by KUBECONFIG: it gets the
development servers, if its user allows it.

Not tried where this was written (there was no other cluster). Images cannot be put onto its nodes
from here, so they have to be reachable under the names that `up` prints.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from tests.cluster import dev_servers
from tests.cluster.images import AWS_SERVERS, DEV_SERVERS, GIT_HOST, PENSTOCK
from tests.cluster.places import Places
from tests.cluster.shell import ClusterError, run, say, step, write

ALLOWED_BY = "PENSTOCK_USE_KUBECONFIG"


def wanted(places: Places) -> bool:
    """Tell whether the environment names a cluster that this driver did not start."""
    value = os.environ.get("KUBECONFIG", "")
    own = {places.kubeconfig, places.state / "kind.kubeconfig"}
    return bool(value) and Path(value).resolve() not in own


def refusal(places: Places) -> str | None:
    """Return why the cluster of KUBECONFIG is left alone, and how to allow
    it; None where it is allowed.
    """
    if is_allowed():
        return None
    context, server = _meant(places)
    return f"""\
KUBECONFIG={os.environ["KUBECONFIG"]} names a cluster that this checkout did not start: \
context {context}, server {server}. Nothing was done to it.
It would get: the namespace penstock-dev with S3, Git and AWS servers on node ports, whose keys \
everybody knows; the
custom resource definitions of penstock.dev; the Helm release penstock in penstock-system, in \
place of one that is
there; from `make demo` the namespaces bakery and bakery-production, from `make sam` greeter, \
from tests e2e-* and more.
It would lose: what of these is made again, and by `make cluster-down` the namespace penstock-dev \
and all in it.
To allow that: {ALLOWED_BY}=yes make demo. For a cluster of this checkout's own: \
env -u KUBECONFIG make demo."""


def is_allowed() -> bool:
    """Tell whether whoever started this wants the cluster of KUBECONFIG to be used."""
    return os.environ.get(ALLOWED_BY) == "yes"


def _meant(places: Places) -> tuple[str, str]:
    """Return context and server of the kubeconfig, for the message alone: as
    kubectl reads them, if there is one.
    """
    kubectl = shutil.which("kubectl") or places.bin_dir / "kubectl"
    try:
        shown = run([kubectl, "config", "view", "--minify", "-o", "json"], limit=10)
        config = json.loads(shown)
        return str(config["current-context"]), str(config["clusters"][0]["cluster"]["server"])
    except (ClusterError, ValueError, KeyError, IndexError, TypeError):
        return _guessed()


def _guessed() -> tuple[str, str]:
    """Return context and server without kubectl; of several servers all."""
    try:
        text = _kubeconfig().read_text()
    except OSError as error:
        return "unknown", str(error)
    context = re.search(r"""["']?current-context["']?\s*:\s*["']?([^\s"',}]+)""", text)
    servers = re.findall(r"""["']?\bserver["']?\s*:\s*["']?([^\s"',}]+)""", text)
    return context[1] if context else "unknown", " or ".join(dict.fromkeys(servers)) or "unknown"


def _kubeconfig() -> Path:
    """Return the file of KUBECONFIG; a list of files is refused, as Helm and the tests read one."""
    value = os.environ["KUBECONFIG"]
    if os.pathsep in value:
        raise ClusterError(
            "KUBECONFIG lists several files: `kubectl config view --flatten --minify` makes one of "
            "them"
        )
    return Path(value).resolve()


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
    needed = " ".join(image.reference for image in (DEV_SERVERS, AWS_SERVERS, GIT_HOST, PENSTOCK))
    say(f"images the cluster must have or be able to pull: {needed}")
    with step("S3 and Git servers"):
        dev_servers.apply(places, kubeconfig)
        dev_servers.wait(cluster, limit=180)
    dev_servers.apply_aws(places, kubeconfig)
    write(places.cluster_json, json.dumps(cluster.to_json(), indent=1) + "\n")


def aws(_: Places) -> None:
    """Add nothing: `up` has added the AWS servers."""


def down(places: Places) -> None:
    """Remove the servers; the cluster is not ours to stop."""
    words = ["delete", "namespace", "penstock-dev", "--ignore-not-found", "--timeout=60s"]
    dev_servers.kubectl(places, _kubeconfig(), *words, limit=90)
    places.cluster_json.unlink(missing_ok=True)


def image(_: Places) -> None:
    """Say what to do; there is no way to reach the nodes' image stores from here."""
    say(f"build operator/Dockerfile and push it where the cluster finds it as {PENSTOCK.reference}")
