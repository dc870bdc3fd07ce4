"""Where things live: the cache all checkouts share, this checkout's state,
and names derived from it.

Everything that exists once per machine (interfaces, addresses, cgroups) takes its name from the
state directory, so two checkouts run their clusters side by side.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

# RFC 2544's benchmark range: no office, cloud or container network routes it.
_LINKS = ipaddress.ip_network("198.18.0.0/15")


def _base(variable: str, fallback: str) -> Path:
    """Return an XDG base directory."""
    return Path(os.environ.get(variable) or Path.home() / fallback)


def _state_dir() -> Path:
    """Return this checkout's state directory."""
    given = os.environ.get("PENSTOCK_STATE_DIR")
    if given:
        return Path(given).resolve()
    name = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]
    return _base("XDG_STATE_HOME", ".local/state").resolve() / "penstock" / name


@dataclass(frozen=True)
class Places:
    """The two directories everything else is derived from."""

    cache: Path
    state: Path

    @classmethod
    def of_this_checkout(cls) -> Places:
        """Return the places that the environment and this checkout's path decide."""
        given = os.environ.get("PENSTOCK_CACHE_DIR")
        cache = Path(given) if given else _base("XDG_CACHE_HOME", ".cache") / "penstock"
        return cls(cache=cache.resolve(), state=_state_dir())

    @property
    def identity(self) -> str:
        """Return eight hex digits that tell this cluster from every other on the machine."""
        return hashlib.sha256(str(self.state).encode()).hexdigest()[:8]

    @property
    def cluster_json(self) -> Path:
        """Return the file that tells tests where the cluster is."""
        return self.state / "cluster.json"

    @property
    def kubeconfig(self) -> Path:
        """Return the administrator's kubeconfig."""
        return self.state / "pki" / "admin.kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        """Return containerd's socket; it is in the state directory so that
        the host's `ctr` reaches it.
        """
        return self.state / "containerd.sock"

    @property
    def audit_log(self) -> Path:
        """Return the API server's audit log."""
        return self.state / "audit.log"

    @property
    def bin_dir(self) -> Path:
        """Return the directory with kubectl and helm."""
        return self.state / "bin"

    @property
    def logs(self) -> Path:
        """Return the directory of the components' own logs."""
        return self.state / "log"

    def lock(self, name: str) -> Path:
        """Return the lock file for something in the cache, which all checkouts write to."""
        return self.cache / "locks" / name

    @property
    def interface(self) -> str:
        """Return the name of the host's end of the veth pair (15 characters at most)."""
        return f"psk{self.identity}"

    @property
    def cgroup(self) -> str:
        """Return the name of the cgroup that holds all pods of this cluster."""
        return f"penstock-{self.identity}"

    def _link(self) -> ipaddress.IPv4Network:
        """Return this cluster's /30."""
        size = 4
        slots = _LINKS.num_addresses // size
        slot = int(self.identity, 16) % slots
        return ipaddress.IPv4Network((int(_LINKS.network_address) + slot * size, 30))

    @property
    def host_ip(self) -> str:
        """Return the address of the host's end of the veth pair."""
        return str(self._link().network_address + 1)

    @property
    def node_ip(self) -> str:
        """Return the node's address, which is the far end of the veth pair."""
        return str(self._link().network_address + 2)
