"""The node's own world: network, mounts and process ids apart from the host's.

One holder process owns three fresh namespaces. Killing it ends every process of the cluster,
containers included, and with the last of them the kernel takes back every mount, interface and
iptables rule. The host only ever sees a veth pair, its route, and the pods' cgroups.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from tests.cluster import processes
from tests.cluster.places import Places
from tests.cluster.shell import ClusterError, Command, run, succeeds, wait_until, write

HOLDER = "holder"
_CGROUPS = Path("/sys/fs/cgroup")

# What the kubelet would set for the whole machine; shown to it as if already set, the host keeps
# its own.
_KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
# Folders outside the state directory that Kubernetes writes to -> where that ends up instead.
# Teardown leaves the empty mount points: removing one would unmount it below another checkout's
# running cluster.
_REDIRECTED = {
    "/var/log": "node/log",
    "/var/lib/cni": "node/cni-state",
    "/tmp/hostpath_pv": "node/volumes",  # fixed in the controller manager's provisioner
}


def _holder_script(places: Places) -> str:
    """Return what the holder runs: prepare the namespaces, say so, then sleep
    while reaping orphans.
    """
    lines = ["set -e", "mount --make-rshared /", "mount -t tmpfs -o mode=755 tmpfs /run"]
    for target, folder in _REDIRECTED.items():
        lines.append(f"mount --bind '{places.state / folder}' {target}")
    for name in _KERNEL_SETTINGS:
        lines.append(f"mount --bind '{places.state}/node/sysctl/{name}' /proc/sys/{name}")
    lines += [
        "ip link set lo up",
        "echo 1 > /proc/sys/net/ipv4/ip_forward",
        f"touch '{places.state}/run/holder.ready'",
        # Orphans (containerd's shims) fall to this process; ignoring SIGCHLD makes the kernel reap
        # them.
        "exec env --ignore-signal=CHLD sleep infinity",
    ]
    return "\n".join(lines) + "\n"


def create(places: Places) -> None:
    """Make the namespaces, the link to the host and the pods' cgroup."""
    for target, folder in _REDIRECTED.items():
        (places.state / folder).mkdir(parents=True, exist_ok=True)
        Path(target).mkdir(parents=True, exist_ok=True)
    for name, value in _KERNEL_SETTINGS.items():
        write(places.state / "node/sysctl" / name, value + "\n")
    ready = places.state / "run/holder.ready"
    ready.unlink(missing_ok=True)
    script = write(places.state / "run/holder.sh", _holder_script(places))
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    holder = processes.spawn(places, HOLDER, [*unshare, "--propagation", "slave", "sh", script])

    def prepared() -> bool:
        if not holder.alive:
            raise ClusterError(f"the namespaces could not be made, see {places.logs / HOLDER}.log")
        return ready.exists()

    wait_until("the node's namespaces", prepared, limit=10, pause=0.02)
    for pid in holder.children():
        processes.remember(places, f"{HOLDER}-init", pid)
    _connect(places, holder.pid)
    _make_cgroup(places)


def _connect(places: Places, pid: int) -> None:
    """Join the node's network to the host by a veth pair."""
    name = places.interface
    pair = ["ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(pid)]
    run(pair, limit=10)
    run(["ip", "addr", "add", f"{places.host_ip}/30", "dev", name], limit=10)
    run(["ip", "link", "set", name, "up"], limit=10)
    for words in (
        ["addr", "add", f"{places.node_ip}/30", "dev", "eth0"],
        ["link", "set", "eth0", "up"],
        ["route", "add", "default", "via", places.host_ip],
    ):
        run(["nsenter", f"--net=/proc/{pid}/ns/net", "ip", *words], limit=10)


def _hierarchies() -> list[Path]:
    """Return the roots of the cgroup hierarchies: one per controller in
    version 1, one in all in version 2.
    """
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS]
    return [path for path in _CGROUPS.iterdir() if path.is_dir() and not path.is_symlink()]


def _make_cgroup(places: Places) -> None:
    """Make the cgroup below which the kubelet puts all pods, so that teardown
    knows what is its own.
    """
    for root in _hierarchies():
        group = root / places.cgroup
        group.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):  # version 1: an empty cpuset holds no process
            if (root / name).exists() and not (root / "cgroup.controllers").exists():
                (group / name).write_text((root / name).read_text())
        if (root / "cgroup.controllers").exists():
            wanted = " ".join(
                f"+{name}" for name in (root / "cgroup.controllers").read_text().split()
            )
            (root / "cgroup.subtree_control").write_text(wanted)


def _remove_cgroup(places: Places) -> bool:
    """Remove the pods' cgroups from the leaves up; False while a dying process still holds one."""
    for root in _hierarchies():
        group = root / places.cgroup
        for path, _, _ in os.walk(group, topdown=False):
            try:
                Path(path).rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return False
    return True


def entering(places: Places, command: Sequence[str | Path]) -> Command:
    """Return the command that runs another one inside the node."""
    holder = processes.remembered(places).get(HOLDER)
    if holder is None or not holder.alive:
        raise ClusterError(
            "the node's namespaces are gone; `python3 -m tests.cluster down`, then `up`"
        )
    spaces = f"/proc/{holder.pid}/ns"
    return [
        "nsenter",
        f"--net={spaces}/net",
        f"--mount={spaces}/mnt",
        f"--pid={spaces}/pid_for_children",
        "--",
        *command,
    ]


def destroy(places: Places) -> None:
    """End everything that runs in the node and take back what the host saw of it.

    May be called again and again: what would not end is named, and stays written down.
    """
    known = processes.remembered(places)
    # The namespace's first process goes first, and heeds no other signal: the kernel then ends all
    # others.
    if first := known.get(f"{HOLDER}-init"):
        first.send(signal.SIGKILL)
    living = processes.stop(list(known.values()))
    processes.forget(places)
    if living:
        names = ", ".join(f"{process.name} (process {process.pid})" for process in living)
        raise ClusterError(
            f"would not end, though killed: {names}; see `ps -o stat,wchan PID`, then try again"
        )
    link = ["ip", "link", "show", places.interface]
    if succeeds(link, limit=10):
        # The kernel drops a dead namespace's veth in its own time; do not wait for it.
        succeeds(["ip", "link", "delete", places.interface], limit=10)
        wait_until("end of the veth pair", lambda: not succeeds(link, limit=10), limit=10)
    wait_until("end of the pods' cgroups", lambda: _remove_cgroup(places), limit=20)
