"""The artifact store: claims, streamed uploads and verified downloads, each within a time limit.

Everything goes through obstore, so a volume (its LocalStore) or a store in memory (tests) is the
same `Store`. An error says what to change: the credentials, the bucket, or the endpoint.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import obstore
from obstore import exceptions
from obstore.store import ObjectStore

from penstock.api.contract.contracts import ArtifactLocation
from penstock.artifacts.errors import ArtifactError
from penstock.artifacts.store.errors import MissingObjectError, error_of

if TYPE_CHECKING:
    from obstore import GetResult, WritableFile
    from obstore.store import BackoffConfig

PART_BYTES = 8 * 1024 * 1024
"""Larger content goes up in parts of this size, less in one request: so much memory in any case."""
# Each part on its way is in memory.
_PARTS_AT_ONCE = 3
_READ_BYTES = 1024 * 1024
# The least speed at which a server joins an upload's parts: 2 GiB took 9 s on a busy disk.
_ASSEMBLY_BYTES_S = 32 * 1024 * 1024
BACKOFF: "BackoffConfig" = {
    "init_backoff": timedelta(milliseconds=200),
    "max_backoff": timedelta(seconds=2),
    "base": 2,
}


_Answer = TypeVar("_Answer")


class Sink(Protocol):
    """What a producer of an artifact writes to."""

    def write(self, data: bytes, /) -> int:
        """Take the bytes, all of them."""


class Upload:
    """An upload under way: hash and size are of the very bytes that are sent."""

    def __init__(self, writer: Sink, limit: int) -> None:
        self.writer, self.limit = writer, limit
        self.size = 0
        self.digest = hashlib.sha256()

    def write(self, data: bytes, /) -> int:
        """Send the bytes."""
        self.size += len(data)
        if self.size > self.limit:
            raise ArtifactError("JobFailed", f"it is larger than {self.limit} bytes")
        self.digest.update(data)
        self.writer.write(data)
        return len(data)


class Found(NamedTuple):
    """The store's facts on an object: version if the bucket keeps any, time stored, metadata."""

    version: str
    etag: str
    modified: str
    metadata: Mapping[str, str]


class Store:
    """One artifact store. ``where`` names it in errors; ``away_s`` is its longest absence (s)."""

    def __init__(self, backend: ObjectStore, where: str, away_s: float = 0.0) -> None:
        self._backend = backend
        self._where = where
        self._away_s = away_s

    def claim(self, key: str, content: bytes) -> bytes:
        """Create the key with this content unless it exists; return what it then holds.

        Whether a request without an answer created the key is not known. It is asked for again: the
        store creates a key once, so that the second request is either the first that counts, or
        finds what is there, ours or another's.
        """

        def create() -> bytes:
            try:
                obstore.put(self._backend, key, content, mode="create")
            except exceptions.AlreadyExistsError:
                return bytes(obstore.get(self._backend, key).bytes())
            return content

        return self._patiently(key, create)

    def _patiently(self, key: str, request: Callable[[], _Answer]) -> _Answer:
        """Make a repeatable request until it is answered or the store has been away too long."""
        end, pause = time.monotonic() + self._away_s, BACKOFF["init_backoff"].total_seconds()
        while True:
            try:
                with self._errors(key):
                    return request()
            except ArtifactError as error:
                # A missing object has the same code, and is an answer.
                is_away = type(error) is ArtifactError and error.code == "SystemUnavailable"
                if not is_away or time.monotonic() + pause > end:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, BACKOFF["max_backoff"].total_seconds())

    @contextmanager
    def upload(self, key: str, limit: int) -> Iterator[Upload]:
        """Give a sink for one artifact; store nothing unless the block ends without exception."""
        with self._errors(key):
            writer = obstore.open_writer(
                self._backend, key, buffer_size=PART_BYTES, max_concurrency=_PARTS_AT_ONCE
            )
            sink = Upload(writer, limit)
            yield sink
            self._close(writer, key, sink.size)

    def _close(self, writer: "WritableFile", key: str, size: int) -> None:
        """Complete the upload. A server may need longer to join parts than it may be silent.

        Then the request is repeated, and the repetition finds no such upload:
        the object itself tells.
        """
        try:
            writer.close()
        except (exceptions.BaseError, OSError):
            end = time.monotonic() + size / _ASSEMBLY_BYTES_S
            while self._size(key) != size:
                if time.monotonic() >= end:
                    raise
                time.sleep(1)

    def _size(self, key: str) -> int | None:
        try:
            return int(obstore.head(self._backend, key)["size"])
        except (exceptions.BaseError, OSError):
            return None

    def put_file(self, key: str, path: Path) -> None:
        """Store a local file."""
        with path.open("rb") as source, self.upload(key, 1 << 62) as sink:
            while data := source.read(_READ_BYTES):
                sink.write(data)

    def fetch(self, artifact: ArtifactLocation, target: IO[bytes]) -> None:
        """Write an artifact's bytes to ``target``.

        Raise ArtifactError unless size and hash are the recorded ones.
        """
        try:
            size, digest = self._fetch(artifact, target)
        except MissingObjectError as error:
            what = (
                f'Input artifact "{artifact.name}" is gone, deleted perhaps by a lifecycle '
                f"rule: "
                f"{error.message}"
            )
            raise MissingObjectError(error.code, what) from error
        if (size, digest.hexdigest()) != (artifact.size, artifact.sha256):
            raise ArtifactError(
                "SystemUnavailable",
                f'Input artifact "{artifact.name}": the stored object is not the one that was '
                f"recorded "
                f"(size {artifact.size}, sha256 {artifact.sha256}); it was changed or cut off",
            )

    def _fetch(self, artifact: ArtifactLocation, target: IO[bytes]) -> tuple[int, "hashlib._Hash"]:
        start = target.tell()

        def get() -> tuple[int, "hashlib._Hash"]:
            digest, size = hashlib.sha256(), 0
            # An attempt before this one may have broken off in the middle.
            target.seek(start)
            target.truncate()
            for chunk in obstore.get(self._backend, artifact.key).stream(_READ_BYTES):
                size += len(chunk)
                # Enough is known: `fetch` refuses it by its size.
                if size > artifact.size:
                    break
                digest.update(chunk)
                target.write(chunk)
            return size, digest

        return self._patiently(artifact.key, get)

    def read(self, key: str, target: IO[bytes], limit: int, version: str | None = None) -> "Found":
        """Write an object's bytes (at most ``limit``) to ``target``; return the store's facts."""
        start = target.tell()

        def get() -> "GetResult":
            result = obstore.get(
                self._backend, key, options={"version": version} if version else {}
            )
            size = 0
            # An attempt before this one may have broken off in the middle.
            target.seek(start)
            target.truncate()
            for chunk in result.stream(_READ_BYTES):
                size += len(chunk)
                if size > limit:
                    raise ArtifactError(
                        "JobFailed", f"{self._where}: {key} is larger than {limit} bytes"
                    )
                target.write(chunk)
            return result

        result = self._patiently(key, get)
        meta, attributes = result.meta, result.attributes
        return Found(
            version=meta["version"] or "",
            etag=(meta["e_tag"] or "").strip('"'),
            modified=meta["last_modified"].isoformat(),
            metadata={str(name): str(value) for name, value in attributes.items()},
        )

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except (exceptions.BaseError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the workspace's: obstore's own carry no number
            raise error_of(self._where, key, error) from error
