"""The images: what each is made of, and how it is built without a Docker daemon or a registry.

An image's archive is cached under a key of all that went into it, so an
unchanged image costs nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.cluster import buildah
from tests.cluster.binaries import GITEA, KUSTOMIZE, VERSITYGW, source_of
from tests.cluster.binaries import ensure as ensure_programs
from tests.cluster.components import PAUSE_IMAGE
from tests.cluster.places import CHECKOUT, Places
from tests.cluster.shell import Command, locked, run, step, write
from tests.cluster.wheels import download_wheels, install_packages

_FILES = Path(__file__).parent / "recipes"
_SUITE = "bookworm"
_AWS_SERVERS = ("ministack", "moto")
_DOCKERFILE = CHECKOUT / "operator/Dockerfile"
_REQUIREMENTS = CHECKOUT / "requirements.txt"
_SOURCES = CHECKOUT / "operator/penstock"

# A root filesystem from Debian's packages, without what no container reads.
_DROPPED = ("doc", "man", "info", "locale", "lintian", "bash-completion")


@dataclass(frozen=True)
class Image:
    """One image: its name in the cluster, what decides it, and how its build folder is filled."""

    name: str
    reference: str
    inputs: Callable[[Places], list[bytes]]
    prepare: Callable[[Places, Path], buildah.Build]
    base: Image | None = None
    # An image that changes with every edit is handed to containerd straight from the build store:
    # writing and reading an archive of some 400 MB each time would take longer than the build.
    streamed: bool = False

    @cache  # noqa: B019 - the few images live as long as the process
    def key(self, places: Places) -> str:
        """Return a hash of all that decides the image, as it was when first asked.

        Someone may save a file while an image is built: build, tag and import
        must agree all the same.
        """
        digest = hashlib.sha256(self.reference.encode())
        parts = [*self.inputs(places), self.base.key(places).encode() if self.base else b""]
        for part in parts:
            digest.update(hashlib.sha256(part).digest())
        return digest.hexdigest()[:16]

    def archive(self, places: Places) -> Path:
        """Return where the image's archive is, or will be; of a streamed one
        an empty file says it was built.
        """
        return (
            places.cache
            / "images"
            / f"{self.name}-{self.key(places)}.{'built' if self.streamed else 'tar'}"
        )

    def tag(self, places: Places) -> str:
        """Return the name it has in the build store, where an old image must
        not pass for a new one.
        """
        return f"localhost/{self.name}:{self.key(places)}"


def ensure(places: Places, image: Image) -> Path:
    """Return the image's archive, building it and what it stands on when the cache has none."""
    archive = image.archive(places)
    with locked(places.lock(archive.name)):
        if not archive.exists() or (image.streamed and not buildah.has(places, image.tag(places))):
            _build(places, image, archive)
    return archive


def _build(places: Places, image: Image, archive: Path) -> None:
    """Build an image, after what it stands on."""
    if image.base:
        ensure(places, image.base)
        if not buildah.has(places, image.base.tag(places)):
            buildah.load(places, image.base.archive(places), image.base.tag(places))
    with step(f"image {image.name}"):
        with tempfile.TemporaryDirectory(prefix="penstock-image-") as folder:
            build = image.prepare(places, Path(folder))
            buildah.build(places, build, image.tag(places))
        if image.streamed:
            write(archive, "")
        else:
            buildah.save(places, image.tag(places), image.reference, archive)
    _prune(places, image.name)


def _prune(places: Places, name: str, keep: int = 3) -> None:
    """Keep the newest archives of an image; the operator's changes with every edit."""
    archives = sorted(
        (places.cache / "images").glob(f"{name}-????????????????.*"), key=os.path.getmtime
    )
    for old in archives[:-keep]:
        old.unlink()
        buildah.remove(places, f"localhost/{name}:{old.stem.rpartition('-')[2]}")


def _pause(_: Places, folder: Path) -> buildah.Build:
    run(["gcc", "-Os", "-static", "-o", folder / "pause", _FILES / "pause.c"], limit=60)
    return buildah.Build(
        folder, 'FROM scratch\nCOPY pause /pause\nUSER 65535\nENTRYPOINT ["/pause"]\n'
    )


def _busybox(_: Places, folder: Path) -> buildah.Build:
    root = folder / "root"
    for name in ("bin", "etc", "home", "root", "tmp", "usr", "var"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy2("/bin/busybox", root / "bin/busybox")
    for applet in run(["/bin/busybox", "--list"], limit=10).split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    (root / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"
    )
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    return buildah.Build(folder, 'FROM scratch\nCOPY root/ /\nCMD ["sh"]\n')


def _bootstrap(packages: tuple[str, ...]) -> Callable[[Places, Path], buildah.Build]:
    """Return a preparation that makes a root filesystem from Debian's packages."""

    def prepare(_: Places, folder: Path) -> buildah.Build:
        options = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _DROPPED]
        options += [f"--include={','.join(packages)}"] if packages else []
        command: Command = [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            *options,
            _SUITE,
            folder / "root.tar",
        ]
        # Its mounts stay in a mount namespace of their own, whatever becomes of it.
        run(["unshare", "--mount", "--propagation", "private", *command], limit=300)
        return buildah.Build(folder, 'FROM scratch\nADD root.tar /\nCMD ["bash"]\n')

    return prepare


def _dev_servers(places: Places, folder: Path) -> buildah.Build:
    shutil.copy2(VERSITYGW.path(places), folder / "versitygw")
    shutil.copy2(_FILES / "git_server.py", folder / "git_server.py")
    dockerfile = (_FILES / "dev-servers.Dockerfile").read_text()
    return buildah.Build(folder, dockerfile, arguments={"BASE": BASE.tag(places)})


def _aws_servers(places: Places, folder: Path) -> buildah.Build:
    for name in _AWS_SERVERS:
        install_packages(places, _FILES / f"{name}.txt", folder / name)
    shutil.copy2(_FILES / "serverlessrepo_server.py", folder)
    dockerfile = (_FILES / "aws-servers.Dockerfile").read_text()
    return buildah.Build(folder, dockerfile, arguments={"BASE": BASE.tag(places)})


def _git_host(places: Places, folder: Path) -> buildah.Build:
    ensure_programs(places, (GITEA,))
    shutil.copy2(GITEA.path(places), folder / "gitea")
    # Not within the program: that would take its generators, too.
    for name in ("options", "public", "templates"):
        shutil.copytree(source_of(GITEA) / name, folder / "static" / name)
    shutil.copy2(_FILES / "app.ini", folder)
    dockerfile = (_FILES / "git-host.Dockerfile").read_text()
    return buildah.Build(folder, dockerfile, arguments={"BASE": BASE.tag(places)})


def _penstock(places: Places, folder: Path) -> buildah.Build:
    """Describe the operator's own image: the Dockerfile users have, with
    packages fetched beforehand.
    """
    shutil.copytree(
        _SOURCES, folder / "operator/penstock", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy2(_REQUIREMENTS, folder)
    ensure_programs(places, (KUSTOMIZE,))
    (folder / "programs").mkdir()
    shutil.copy2(KUSTOMIZE.path(places), folder / "programs/kustomize")
    base = BASE.tag(places)
    arguments = {"BASE": base, "GO": base, "KUSTOMIZE_VERSION": f"locked-{KUSTOMIZE.key()}"}
    volumes = {str(folder / "programs"): "/programs"}
    wheels = download_wheels(places, _REQUIREMENTS)
    arguments |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"} if wheels else {}
    volumes |= {str(wheels): "/wheels"} if wheels else {}
    return buildah.Build(folder, _DOCKERFILE.read_text(), arguments, volumes)


def _penstock_inputs(_: Places) -> list[bytes]:
    parts = [_DOCKERFILE.read_bytes(), _REQUIREMENTS.read_bytes(), KUSTOMIZE.key().encode()]
    for file in sorted(_SOURCES.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            mode = str(file.stat().st_mode & stat.S_IXUSR)
            parts += [f"{file.relative_to(CHECKOUT)} {mode}".encode(), file.read_bytes()]
    return parts


def _file(name: str) -> bytes:
    return (_FILES / name).read_bytes()


PAUSE = Image("pause", PAUSE_IMAGE, lambda _: [_file("pause.c")], _pause)
BUSYBOX = Image("busybox", "docker.io/library/busybox:1.35", lambda _: [b"1"], _busybox)
DEBIAN = Image("debian", "docker.io/library/debian:12-slim", lambda _: [b"1"], _bootstrap(()))
BASE = Image(
    "penstock-base",
    "docker.io/library/penstock-base:dev",
    lambda _: [b"1"],
    _bootstrap(("python3", "git", "ca-certificates")),
)
BUILD_PACKAGES = ("ca-certificates", "git", "linkchecker", "python3", "python3-pytest")
BUILD = Image(
    "penstock-build",
    "docker.io/library/penstock-build:dev",
    lambda _: [b"1"],
    _bootstrap(BUILD_PACKAGES),
)
DEV_SERVERS = Image(
    "penstock-dev-servers",
    "docker.io/library/penstock-dev-servers:dev",
    lambda _: [_file("git_server.py"), _file("dev-servers.Dockerfile"), VERSITYGW.key().encode()],
    _dev_servers,
    BASE,
)
AWS_SERVERS = Image(
    "penstock-aws-servers",
    "docker.io/library/penstock-aws-servers:dev",
    lambda _: [
        _file("aws-servers.Dockerfile"),
        _file("serverlessrepo_server.py"),
        *(_file(f"{name}.txt") for name in _AWS_SERVERS),
    ],
    _aws_servers,
    BASE,
)
GIT_HOST = Image(
    "penstock-git-host",
    "docker.io/library/penstock-git-host:dev",
    lambda _: [_file("git-host.Dockerfile"), _file("app.ini"), GITEA.key().encode()],
    _git_host,
    BASE,
)
PENSTOCK = Image(
    "penstock", "docker.io/library/penstock:dev", _penstock_inputs, _penstock, BASE, streamed=True
)

FROM_DEBIAN = (PAUSE, BUSYBOX, DEBIAN, BASE, BUILD)
EVERYWHERE = (BUSYBOX, DEBIAN, BASE, BUILD, DEV_SERVERS)
