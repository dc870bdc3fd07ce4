"""Debian's buildah, with its store in the cache and its mounts in a namespace that ends with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.places import Places
from tests.cluster.shell import Command, run, succeeds, write


@dataclass(frozen=True)
class Build:
    """What one build is given: a folder, a Dockerfile's text, arguments and read-only folders."""

    context: Path
    dockerfile: str
    arguments: dict[str, str] = field(default_factory=dict)
    volumes: dict[str, str] = field(default_factory=dict)


def _command(places: Places, *words: str | Path) -> Command:
    store = places.cache / "buildah"
    options: Command = [
        "--root",
        store / "root",
        "--runroot",
        store / "run",
        "--storage-driver",
        "overlay",
    ]
    # containers/storage leaves a bind mount of its root behind; here it goes with the namespace.
    return ["unshare", "--mount", "--propagation", "private", "buildah", *options, *words]


def _policy(places: Places) -> Path:
    """Return a signature policy, which Debian's package leaves to another
    one; all we load was made here.
    """
    return write(
        places.cache / "buildah/policy.json", '{"default": [{"type": "insecureAcceptAnything"}]}\n'
    )


def build(places: Places, build: Build, tag: str) -> None:
    """Build an image; chroot isolation, since there is neither a daemon nor always a network
    namespace to give.
    """
    dockerfile = write(build.context / ".Dockerfile", build.dockerfile)
    words: Command = [
        "bud",
        "--signature-policy",
        _policy(places),
        "--isolation",
        "chroot",
        "--pull-never",
        "--layers",
        "-q",
        "-t",
        tag,
    ]
    for name, value in build.arguments.items():
        words += ["--build-arg", f"{name}={value}"]
    for source, target in build.volumes.items():
        words += ["-v", f"{source}:{target}:ro"]
    run(_command(places, *words, "-f", dockerfile, build.context), limit=600)


def save(places: Places, tag: str, reference: str, archive: Path) -> None:
    """Write an image to an archive that carries the name it shall have in the cluster."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(archive.name + ".partial")
    partial.unlink(missing_ok=True)
    run(
        _command(
            places,
            "push",
            "--signature-policy",
            _policy(places),
            "-q",
            tag,
            f"docker-archive:{partial}:{reference}",
        ),
        limit=300,
    )
    partial.replace(archive)


def streaming(places: Places, tag: str, reference: str) -> Command:
    """Return the command that writes an archive to its standard output."""
    return _command(
        places,
        "push",
        "--signature-policy",
        _policy(places),
        "-q",
        tag,
        f"docker-archive:/dev/stdout:{reference}",
    )


def load(places: Places, archive: Path, tag: str) -> None:
    """Bring an archive back into the store, for instance after the store was cleared."""
    image = run(
        _command(
            places, "pull", "--signature-policy", _policy(places), "-q", f"docker-archive:{archive}"
        ),
        limit=300,
    ).strip()
    run(_command(places, "tag", image, tag), limit=60)


def has(places: Places, tag: str) -> bool:
    """Tell whether the store has an image."""
    return succeeds(_command(places, "inspect", "--type", "image", tag), limit=60)


def remove(places: Places, tag: str) -> None:
    """Remove an image from the store; not having it is as good."""
    succeeds(_command(places, "rmi", tag), limit=60)
