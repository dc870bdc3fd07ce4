"""Git LFS: the files that a repository keeps elsewhere, with a pointer in their place.

A file is LFS's if the commit's .gitattributes say so and it holds a pointer. The server is the
remote's own: what the repository's .lfsconfig says about servers and errors does not count.
"""

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import repeat
from pathlib import Path
from typing import IO, NamedTuple

from penstock.actions.execution import JOB_FAILED, ActionError, Job
from penstock.actions.git.client import Git
from penstock.actions.git.listing import Budget, shown
from penstock.actions.git.repository import Repository

# Each pointer is looked at and asked for: a commit with more is refused.
MAX_POINTERS = 100_000
# A pointer has some 130 bytes: a larger file is none.
_LARGEST = 1024
# Objects in one request, as git-lfs itself asks.
_AT_ONCE = 100
# Downloads at once: enough to hide latency, few enough for 64 MiB of memory.
_PARALLEL = 4
_BEGIN = b"version https://git-lfs"
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-\d-[^\n]*\n)*oid "
    rb"sha256:([0-9a-f]{64})\nsize (\d{1,18})\n"
)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Pointer(NamedTuple):
    """A file stored elsewhere: its content's sha256 (empty if malformed) and its size in bytes."""

    path: bytes
    oid: str
    size: int


class Lfs:
    """Puts files in the place of pointers, or tells how many there are."""

    def __init__(self, job: Job, git: Git, budget: Budget) -> None:
        self._job = job
        self._git = git
        self._budget = budget

    def complete(self, repository: Repository, folder: Path) -> None:
        """Fetch a checkout's files if the source wants it; raise ActionError if one is missing."""
        pointers = list(_pointers(repository, folder))
        if not pointers:
            return
        source = self._git.source
        if not source.with_lfs:
            what = (
                "1 file is a Git LFS pointer"
                if len(pointers) == 1
                else f"{len(pointers)} files are Git LFS pointers"
            )
            self._job.log(f"{what}; {source.advice('FetchLfs')} what they stand for")
            return
        self._check(pointers, repository.commit)
        self._job.log(
            f"Fetching {sum(p.size for p in pointers)} bytes from Git LFS, in {len(pointers)} files"
        )
        self._fetch(pointers, repository, folder)

    def _check(self, pointers: list[Pointer], commit: str) -> None:
        """Nothing is fetched before it is known to fit."""
        for pointer in pointers:
            if not pointer.oid:
                raise ActionError(
                    JOB_FAILED, f'"{shown(pointer.path)}" begins as a Git LFS pointer and is none'
                )
            self._budget.take(
                pointer.size, f"Commit {commit}, with its files in Git LFS,", entries=0
            )

    def _fetch(self, pointers: list[Pointer], repository: Repository, folder: Path) -> None:
        # TLS and an HTTP client cost 20 ms that few fetches need.
        from penstock.actions.git.lfs_server import LfsObject, LfsServer, Link

        server = LfsServer(
            self._job, repository.remote, *self._git.credential(), self._git.source.credential_place
        )

        def bring(wanted: LfsObject, path: bytes, links: dict[str, Link]) -> None:
            with _opened_anew(folder, path) as file:
                server.download(wanted, links[wanted.oid], file)

        with ThreadPoolExecutor(_PARALLEL) as pool:
            for start in range(0, len(pointers), _AT_ONCE):
                some = pointers[start : start + _AT_ONCE]
                objects = [
                    LfsObject(pointer.oid, pointer.size, shown(pointer.path)) for pointer in some
                ]
                links = server.links(objects)
                for _ in pool.map(
                    bring, objects, (pointer.path for pointer in some), repeat(links)
                ):
                    # Only for its error once the time is over.
                    self._job.remaining()


def _pointers(repository: Repository, folder: Path) -> Iterator[Pointer]:
    count = 0
    for path in repository.tracked_by_lfs(folder):
        data = _read(folder, path)
        # A file may have been committed as it is, whatever the attributes say.
        if not data.startswith(_BEGIN):
            continue
        count += 1
        if count > MAX_POINTERS:
            raise ActionError(
                JOB_FAILED,
                f"Commit {repository.commit} has more than {MAX_POINTERS} files in Git LFS",
            )
        match = _POINTER.fullmatch(data)
        yield Pointer(path, match[1].decode(), int(match[2])) if match else Pointer(path, "", 0)


def _read(root: Path, path: bytes) -> bytes:
    """Return what a small file holds, nothing for any other; no part of the way may be a link."""
    with ExitStack() as stack:
        try:
            folder, name = _parent(root, path, stack)
            file = os.open(name, _FILE, dir_fd=folder)
            stack.callback(os.close, file)
            return os.read(file, _LARGEST) if os.fstat(file).st_size < _LARGEST else b""
        except OSError:
            return b""


@contextmanager
def _opened_anew(root: Path, path: bytes) -> Iterator[IO[bytes]]:
    """Open an empty file in the place of one, with its mode."""
    with ExitStack() as stack:
        folder, name = _parent(root, path, stack)
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode & 0o777
        os.unlink(name, dir_fd=folder)
        yield stack.enter_context(os.fdopen(os.open(name, _NEW, mode, dir_fd=folder), "wb"))


def _parent(root: Path, path: bytes, stack: ExitStack) -> tuple[int, bytes]:
    """Return the open folder of a path, and its last name."""
    *names, last = path.split(b"/")
    folder = os.open(root, _FOLDER)
    stack.callback(os.close, folder)
    for name in names:
        folder = os.open(name, _FOLDER, dir_fd=folder)
        stack.callback(os.close, folder)
    return folder, last
