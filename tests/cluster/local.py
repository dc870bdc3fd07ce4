"""The cluster that needs no Docker: Kubernetes' own programs as processes
inside a sandbox of this machine.
"""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.cluster import (
    Cluster,
    binaries,
    components,
    dev_servers,
    images,
    is_described,
    pki,
    processes,
    runtime,
    sandbox,
)
from tests.cluster.packages import ensure_packages
from tests.cluster.places import Places
from tests.cluster.probe import answers, listens, resolves
from tests.cluster.shell import ClusterError, say, step, wait_until, write

_MANIFEST = Path(__file__).parent / "manifests/local.yaml"
_EARLY = ("etcd", "containerd", "kube-apiserver")
_LATE = {
    "kube-controller-manager": components.controller_manager,
    "kube-scheduler": components.scheduler,
    "kubelet": components.kubelet,
    "kube-proxy": components.proxy,
    "coredns": components.dns,
}
# What one life of the cluster leaves; keys, images and logs outlive it.
_LIFE = (
    "etcd",
    "kubelet",
    "node",
    "run",
    "cluster.json",
    "audit.log",
    "containerd.sock",
    "containerd.sock.ttrpc",
)


def build(places: Places) -> None:
    """Build binaries and images; Debian's part goes on beside the compiler,
    since it mostly waits for the network.
    """
    ensure_packages()
    with ThreadPoolExecutor(2) as pool:
        compiled = pool.submit(binaries.ensure, places, binaries.LOCAL)
        unpacked = pool.submit(_build_images, places, images.FROM_DEBIAN)
        unpacked.result()
        compiled.result()
    _build_images(places, (images.DEV_SERVERS,))
    binaries.link_tools(places)


def _build_images(places: Places, wanted: tuple[images.Image, ...]) -> None:
    for image in wanted:
        images.ensure(places, image)


def problems(places: Places) -> list[str]:
    """Return what keeps the cluster from being healthy; nothing means that it is."""
    if not is_described(places):
        return ["not started, or not to the end"]
    known = processes.remembered(places)
    wanted = (sandbox.HOLDER, *_EARLY, *_LATE)
    found = [
        f"{name} does not run" for name in wanted if name not in known or not known[name].alive
    ]
    if found:
        return found
    cluster = _describe(places)
    checks = {
        "the API server is not ready": _api_ready(places),
        "the DNS server does not answer": _dns_ready(places),
        "the S3 or Git server does not answer": dev_servers.ready(cluster),
    }
    return [text for text, good in checks.items() if not good]


def up(places: Places) -> None:
    """Start the cluster, unless it runs and is healthy."""
    if not problems(places):
        say(f"cluster: running, {places.cluster_json}")
        return
    if len(f"{places.containerd_socket}.ttrpc") > 107:
        raise ClusterError(
            f"{places.state} is too long for a Unix socket; set PENSTOCK_STATE_DIR to a shorter "
            f"path"
        )
    with step("cluster up"):
        build(places)
        down(places)
        try:
            _start(places)
        except BaseException:
            say(f"logs: {places.logs}")
            raise


def down(places: Places) -> None:
    """End the cluster and leave nothing of it but keys, images and logs."""
    if not places.state.exists():
        return
    sandbox.destroy(places)
    for name in _LIFE:
        path = places.state / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def image(places: Places) -> None:
    """Build the operator's image and give it to the running cluster."""
    found = problems(places)
    if found:
        raise ClusterError(f"no healthy cluster ({found[0]}): run `python3 -m tests.cluster up`")
    runtime.import_image(places, images.PENSTOCK)


def aws(places: Places) -> None:
    """Add what `make sam` and the tests need besides: the AWS servers, a Git host, kstatus.

    The demo does without them: their images take minutes of a compiler.
    """
    runtime.import_image(places, images.AWS_SERVERS)
    runtime.import_image(places, images.GIT_HOST)
    binaries.ensure(places, (binaries.KSTATUS,))
    dev_servers.apply_aws(places, places.kubeconfig)


def _describe(places: Places) -> Cluster:
    return dev_servers.describe(
        places, "local", places.kubeconfig, places.node_ip, places.audit_log
    )


def _api_ready(places: Places) -> bool:
    return answers(f"https://{places.node_ip}:6443/readyz", pki.folder(places) / "ca.crt")


def _dns_ready(places: Places) -> bool:
    return resolves(places.node_ip, "kubernetes.default.svc.cluster.local")


def _start(places: Places) -> None:
    """Start the components in the order they need each other."""
    with step("keys and namespaces"):
        pki.ensure(places)
        sandbox.create(places)
    with ThreadPoolExecutor(1) as pool:
        containers = pool.submit(_start_containers, places)
        with step("API server"):
            _start_api(places)
        containers.result()
    with step("node"):
        for name, command in _LATE.items():
            processes.spawn(places, name, sandbox.entering(places, command(places)))
        wait_until("node registration", lambda: _node_ready(places), limit=60)
    with step("DNS, S3 and Git servers"):
        cluster = _describe(places)
        dev_servers.apply(places, places.kubeconfig)
        wait_until("DNS", lambda: _dns_ready(places), limit=60)
        dev_servers.wait(cluster, limit=120)
    write(places.cluster_json, json.dumps(cluster.to_json(), indent=1) + "\n")


def _start_containers(places: Places) -> None:
    with step("containerd"):
        runtime.start(places)
    for wanted in (images.PAUSE, *images.EVERYWHERE):
        runtime.import_image(places, wanted)


def _start_api(places: Places) -> None:
    """Start etcd and the API server, and add what belongs to this kind of cluster."""
    processes.spawn(places, "etcd", sandbox.entering(places, components.etcd(places)))
    api = processes.spawn(
        places, "kube-apiserver", sandbox.entering(places, components.apiserver(places))
    )

    def ready() -> bool:
        if not api.alive:
            raise ClusterError(f"the API server ended, see {places.logs}/kube-apiserver.log")
        return listens(places.node_ip, 6443) and _api_ready(places)

    wait_until("API server", ready, limit=60)
    dev_servers.kubectl(places, places.kubeconfig, "apply", "--server-side", "-f", str(_MANIFEST))


def _node_ready(places: Places) -> bool:
    path = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"
    return (
        dev_servers.kubectl(places, places.kubeconfig, "get", "nodes", "-o", path).strip() == "True"
    )
