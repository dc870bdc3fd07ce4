"""Opens files of the source folder, which commands wrote: only files, never through a link."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path


def read(folder: Path, names: Sequence[str], limit: int) -> bytes:
    """Return a file's first ``limit`` bytes; raise OSError for a link on the way, FIFO or folder.

    ``names`` are below the source folder, or behind "/" below the workspace that it stands in.
    """
    if names[0] == "/":
        folder, names = folder.parents[1], names[1:]
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    for index, name in enumerate(names):
        # Without O_NONBLOCK the open of a FIFO would wait for a writer.
        kind = os.O_DIRECTORY if index + 1 < len(names) else os.O_NONBLOCK
        try:
            below = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | kind, dir_fd=opened)
        finally:
            os.close(opened)
        opened = below
    with os.fdopen(opened, "rb") as file:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise IsADirectoryError(0, "it is no file")
        return file.read(limit)
