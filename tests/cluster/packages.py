"""What the machine itself must have: root, Debian's packages, Go.

Missing Debian packages are installed, since containerd, runc and the CNI
plugins cannot be carried along.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from tests.cluster.shell import ClusterError, run, say

# Debian package -> a file that shows it is there.
_NEEDED = {
    "containerd": "/usr/bin/containerd",
    "runc": "/usr/sbin/runc",
    "containernetworking-plugins": "/usr/lib/cni/ptp",
    "iptables": "/usr/sbin/iptables",
    "iproute2": "/usr/sbin/ip",
    "buildah": "/usr/bin/buildah",
    "mmdebstrap": "/usr/bin/mmdebstrap",
    "busybox-static": "/usr/share/doc/busybox-static",
    "util-linux": "/usr/bin/nsenter",
    "git": "/usr/bin/git",
    "openssl": "/usr/bin/openssl",
    "gcc": "/usr/bin/gcc",
    "libc6-dev": "/usr/include/stdio.h",
}
_GO = (1, 26)
_POLICY = Path("/usr/sbin/policy-rc.d")


def ensure_packages() -> None:
    """Install what is missing; where that is not possible, say in one line what to do."""
    if os.geteuid() != 0:
        raise ClusterError(
            "the local cluster needs root (namespaces, mounts, cgroups); or set KUBECONFIG"
        )
    missing = [name for name, proof in _NEEDED.items() if not Path(proof).exists()]
    if not missing:
        return
    if not Path("/etc/debian_version").exists():
        raise ClusterError(
            f"missing: {' '.join(missing)}; install their like with your package manager"
        )
    say(f"packages: installing {' '.join(missing)} with apt-get")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], limit=300, env=quiet)
    # Debian starts services it installs; ours must be the only containerd this driver ever talks
    # to.
    ours = not _POLICY.exists()
    if ours:
        _POLICY.write_text("#!/bin/sh\nexit 101\n")
        _POLICY.chmod(0o755)
    try:
        run(
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing],
            limit=600,
            env=quiet,
        )
    finally:
        if ours:
            _POLICY.unlink()


def ensure_go() -> None:
    """Check that Go can build the binaries; it is not installed, since Debian's is too old."""
    wanted = ".".join(map(str, _GO))
    if shutil.which("go") is None:
        raise ClusterError(
            f"Go {wanted} or newer is needed on the PATH (https://go.dev/doc/install)"
        )
    text = run(["go", "env", "GOVERSION"], limit=20, env={"GOTOOLCHAIN": "local"}).strip()
    found = re.match(r"go(\d+)\.(\d+)", text)
    if found is None or (int(found[1]), int(found[2])) < _GO:
        raise ClusterError(
            f"{text} is too old: Go {wanted} or newer is needed (https://go.dev/doc/install)"
        )
