"""The programs that come from the Go module proxy, built once per set of locked versions.

Each folder below go/ is a module of its own, so that one program's
dependencies never decide another's.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.packages import ensure_go
from tests.cluster.places import Places
from tests.cluster.shell import Command, locked, run, step, succeeds

_SOURCES = Path(__file__).parent / "go"
_KUBERNETES = "v1.35.4"
_GO = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}


def _stamps(package: str) -> list[str]:
    """Return the linker's settings that tell a Kubernetes package its version.

    Without them kubelet and API server refuse each other over version skew.
    """
    _, minor, _ = _KUBERNETES.split(".")
    values = {
        "gitVersion": _KUBERNETES,
        "gitMajor": "1",
        "gitMinor": minor,
        "gitTreeState": "clean",
    }
    return [f"-X {package}.{name}={value}" for name, value in values.items()]


@dataclass(frozen=True)
class Program:
    """One binary: the module that locks it, the package to build and what to tell the linker."""

    name: str
    package: str = "."
    stamps: tuple[str, ...] = ()
    tags: str = ""
    """Build tags; with any the C compiler is used, as they ask for libraries of C."""
    usual_s: int = 0
    """How long the build takes on two cores with nothing cached, modules' download included."""

    @property
    def module(self) -> Path:
        """Return the folder of its module."""
        return _SOURCES / self.name

    @property
    def ldflags(self) -> str:
        """Return the linker flags: stripped, and stamped with a version where
        the program needs it.
        """
        return " ".join(["-s", "-w", *self.stamps])

    def key(self) -> str:
        """Return a hash of all that decides the binary."""
        digest = hashlib.sha256(f"{self.package} {self.ldflags}{self.tags}".encode())
        for name in ("go.mod", "go.sum", "main.go"):
            file = self.module / name
            digest.update(file.read_bytes() if file.exists() else b"")
        return digest.hexdigest()[:16]

    def path(self, places: Places) -> Path:
        """Return where the binary is, or will be."""
        return places.cache / "bin" / f"{self.name}-{self.key()}"


HYPERKUBE = Program(
    "hyperkube",
    stamps=(*_stamps("k8s.io/component-base/version"), *_stamps("k8s.io/client-go/pkg/version")),
    usual_s=460,
)
ETCD = Program("etcd", usual_s=25)
COREDNS = Program("coredns", usual_s=65)
VERSITYGW = Program("versitygw", package="github.com/versity/versitygw/cmd/versitygw", usual_s=50)
HELM = Program(
    "helm",
    package="helm.sh/helm/v4/cmd/helm",
    usual_s=120,
    stamps=("-X helm.sh/helm/v4/internal/version.version=v4.3.1",),
)
KUSTOMIZE = Program("kustomize", package="sigs.k8s.io/kustomize/kustomize/v5")
KSTATUS = Program("kstatus")
GITEA = Program(
    "gitea", package="code.gitea.io/gitea", tags="sqlite sqlite_unlock_notify", usual_s=220
)
KIND = Program("kind", package="sigs.k8s.io/kind")

# The slowest first: images that need only Debian are built meanwhile.
LOCAL = (HYPERKUBE, ETCD, VERSITYGW, COREDNS, HELM, KUSTOMIZE)


def ensure(places: Places, programs: tuple[Program, ...]) -> None:
    """Build the programs that the cache does not have, one after the other."""
    missing = [program for program in programs if not program.path(places).exists()]
    if not missing:
        return
    ensure_go()
    threading.Thread(target=_download, args=(missing,), daemon=True).start()
    for number, program in enumerate(missing, start=1):
        target = program.path(places)
        with locked(places.lock(target.name)):
            if not target.exists():
                left = [f"build {other.name}" for other in missing[number:]]
                with step(f"build {program.name}", usual_s=program.usual_s, then=left):
                    _build(program, target)


def _download(programs: list[Program]) -> None:
    """Fetch the modules of all programs while the first one compiles.

    What cannot be fetched now is asked for again by its own build, which says why it fails.
    """
    for program in programs:
        succeeds(["go", "mod", "download"], limit=600, cwd=program.module, env=_GO)


def _build(program: Program, target: Path) -> None:
    """Build one program; two compilers at a time, which is what a small machine's memory bears."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    command: Command = [
        "go",
        "build",
        "-p",
        "2",
        "-trimpath",
        "-ldflags",
        program.ldflags,
        "-tags",
        program.tags,
        "-o",
        partial,
    ]
    env = {**_GO, "CGO_ENABLED": "1"} if program.tags else _GO
    run([*command, program.package], limit=1500, cwd=program.module, env=env)
    partial.replace(target)


def source_of(program: Program) -> Path:
    """Return the folder of the sources that a program was built of."""
    words = ["go", "list", "-f", "{{.Dir}}", program.package]
    return Path(run(words, limit=120, cwd=program.module, env=_GO).strip())


def link_tools(places: Places) -> None:
    """Put kubectl and helm into the state's bin folder, where `env` points the PATH."""
    places.bin_dir.mkdir(parents=True, exist_ok=True)
    for name, program in (("kubectl", HYPERKUBE), ("helm", HELM)):
        link = places.bin_dir / name
        link.unlink(missing_ok=True)
        link.symlink_to(program.path(places))
