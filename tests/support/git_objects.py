"""Repositories built object by object, so that they can hold what `git add` would never make."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

FILE, LINK, FOLDER, SUBMODULE = "100644", "120000", "40000", "160000"
Row = tuple[str, bytes, str]
"""Mode, name and id, as they stand in a tree."""


class Objects:
    """A bare repository. Nothing of what is written into it is checked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "-q", "--bare", "-b", "main", "--template=")
        self.git("config", "uploadpack.allowAnySHA1InWant", "true")

    def git(self, *arguments: str, data: bytes = b"") -> str:
        """Run git in the repository; return what it prints."""
        date = "2026-01-02T03:04:05Z"
        environment = {
            "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Eve", "GIT_AUTHOR_EMAIL": "eve@example.com",
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_NAME": "Eve", "GIT_COMMITTER_EMAIL": "eve@example.com",
            "GIT_COMMITTER_DATE": date,
        }  # fmt: skip
        done = subprocess.run(
            ("git", "-C", str(self.folder), *arguments), input=data, env=environment,
            capture_output=True, timeout=60,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr.decode("utf-8", "replace"))
        return done.stdout.decode("utf-8", "replace").strip()

    def blob(self, data: bytes) -> str:
        """Write a file's content; return its id."""
        return self.git("hash-object", "-w", "--stdin", data=data)

    def tree(self, *rows: Row) -> str:
        """Write a tree of exactly these rows; return its id."""
        ordered = sorted(rows, key=lambda row: row[1] + (b"/" if row[0] == FOLDER else b""))
        data = b"".join(
            mode.encode() + b" " + name + b"\0" + bytes.fromhex(id_) for mode, name, id_ in ordered
        )
        return self.git("hash-object", "-t", "tree", "--literally", "-w", "--stdin", data=data)

    def files(self, files: dict[bytes, bytes], *rows: Row) -> str:
        """Write a tree of files, and further rows; return its id."""
        return self.tree(*((FILE, name, self.blob(data)) for name, data in files.items()), *rows)

    def commit(self, tree: str, message: bytes = b"Publish", *, branch: str = "main") -> str:
        """Write a commit without a parent, and let a branch name it; return its id."""
        id_ = self.git("commit-tree", tree, data=message)
        self.git("update-ref", f"refs/heads/{branch}", id_)
        return id_

    def raw_commit(self, text: bytes) -> str:
        """Write a commit of exactly this text, which nobody has checked, to main; return its id."""
        id_ = self.git("hash-object", "-t", "commit", "--literally", "-w", "--stdin", data=text)
        self.git("update-ref", "refs/heads/main", id_)
        return id_

    def zeros(self, mebibytes: int) -> str:
        """Write a file's content of so many zeros, small as it is stored; return its id."""
        with tempfile.NamedTemporaryFile() as file:
            file.truncate(mebibytes * 1024 * 1024)
            return self.git("-c", "core.bigFileThreshold=1m", "hash-object", "-w", file.name)

    def with_submodules(
        self, modules: dict[bytes, tuple[str, str]], files: dict[bytes, bytes] | None = None
    ) -> str:
        """Commit submodules at top level: name to URL and commit, described
        in .gitmodules; return the commit's id.
        """
        text = b"".join(
            b'[submodule "%s"]\n\tpath = %s\n\turl = %s\n' % (n, n, u.encode())
            for n, (u, _) in modules.items()
        )
        rows = [(SUBMODULE, name, commit) for name, (_, commit) in modules.items()]
        return self.commit(self.files({b".gitmodules": text, **(files or {})}, *rows))
