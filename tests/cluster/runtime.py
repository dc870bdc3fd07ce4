"""containerd: started clean of an earlier life's containers, and given the images it lacks."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cluster import buildah, components, images, processes, sandbox
from tests.cluster.places import Places
from tests.cluster.shell import ClusterError, Command, pipe, run, step, succeeds, wait_until, write


def _command(places: Places, *words: str | Path) -> Command:
    return ["ctr", "--address", places.containerd_socket, "-n", "k8s.io", *words]


def _ctr(places: Places, *words: str | Path, limit: float = 60) -> str:
    return run(_command(places, *words), limit=limit)


def start(places: Places) -> None:
    """Start containerd; images of an earlier life stay, its containers do not."""
    command = components.containerd(places)
    if (places.state / "containerd").exists():
        _sweep(places)
    processes.spawn(places, "containerd", sandbox.entering(places, command))
    _wait(places)
    # It answers before its Kubernetes plugin has read the images and containers of an earlier life,
    # and a kubelet that comes too early ends at once. The plugin tells of its last step in the log,
    # which begins anew with each start.
    wait_until("containerd's Kubernetes plugin", lambda: _is_plugin_ready(places), limit=60)


def _is_plugin_ready(places: Places) -> bool:
    return b"Start streaming server" in (places.logs / "containerd.log").read_bytes()


def _wait(places: Places) -> None:
    wait_until("containerd", lambda: succeeds(_command(places, "version"), limit=5), limit=30)


def _sweep(places: Places) -> None:
    """Remove dead containers while the Kubernetes plugin is off: once it runs
    it keeps its own list of them.
    """
    config = write(
        places.state / "node/sweep.toml",
        f'version = 2\nroot = "{places.state}/containerd"\nstate = "/run/containerd"\noom_score = '
        f"0\n"
        f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = '
        f'"{places.containerd_socket}"\n',
    )
    entered = sandbox.entering(places, ["containerd", "--config", config])
    sweeper = processes.spawn(places, "containerd-sweep", entered)
    _wait(places)
    dead = _ctr(places, "containers", "list", "-q").split()
    if dead:
        _ctr(places, "containers", "delete", *dead, limit=120)
    for pid in sweeper.children():  # nsenter passes no signals on
        processes.remember(places, "containerd-sweep", pid).kill()
    sweeper.kill()
    places.containerd_socket.unlink(missing_ok=True)


def _imported(places: Places) -> Path:
    return places.state / "containerd/penstock-images.json"


def import_image(places: Places, image: images.Image) -> None:
    """Give containerd an image, unless it has this very one."""
    archive = images.ensure(places, image)
    known: dict[str, str] = (
        json.loads(_imported(places).read_text()) if _imported(places).exists() else {}
    )
    if known.get(image.reference) == image.key(places):
        return
    with step(f"import {image.name}"):
        if image.streamed:
            source = buildah.streaming(places, image.tag(places), image.reference)
            pipe(source, _command(places, "images", "import", "-"), limit=300)
        else:
            _ctr(places, "images", "import", archive, limit=300)
    # The archive also carries the build store's own name, which would keep every old version's
    # layers.
    succeeds(_command(places, "images", "rm", image.tag(places)), limit=60)
    if image.reference not in _ctr(places, "images", "list", "-q").split():
        raise ClusterError(f"{archive} did not contain {image.reference}")
    write(_imported(places), json.dumps({**known, image.reference: image.key(places)}, indent=1))
