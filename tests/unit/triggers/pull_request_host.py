"""A Git host with pull requests: Git's own server, and the API of the kind of host that it plays.

The documents have the fields that the hosts' own references show, as far as anybody reads them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from penstock.api.kinds.connection import ProviderType
from tests.unit.actions.git_server import GitServer, git

REPOSITORY = "team/shop"
KINDS = {
    ProviderType.GITHUB: "/api/v3/repos/team/shop/pulls",
    ProviderType.GITEA: "/api/v1/repos/team/shop/pulls",
    ProviderType.GITLAB: "/api/v4/projects/team%2Fshop/merge_requests",
}


@dataclass(frozen=True)
class Pull:
    """A pull request as the host knows it; ``repository`` is the number of where its head is."""

    number: int
    branch: str
    commit: str
    destination: str = "main"
    state: str = "open"
    repository: int | None = 1
    base: str = ""


@dataclass
class Host(GitServer):
    """The host of one repository, team/shop, whose branch main has one commit."""

    root: Path
    kind: ProviderType = ProviderType.GITEA
    pulls: dict[int, Pull] = field(default_factory=dict)
    page: int = 25
    status: int = 200
    """What requests to the API are answered with, unless it is 200."""
    refused: str = "all"
    """Which: ``all``, those of a ``list``, or those of ``one``."""
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.root)
        self.folder.mkdir(parents=True)
        git(self.folder, "init", "-q", "-b", "main", ".")
        git(self.folder, "config", "uploadpack.allowFilter", "true")
        git(self.folder, "config", "uploadpack.allowAnySHA1InWant", "true")
        git(self.folder, "commit", "-q", "--allow-empty", "-m", "First")
        self.commit("main", "README.md")

    @property
    def folder(self) -> Path:
        return self.root / f"{REPOSITORY}.git"

    def commit(self, branch: str, name: str) -> str:
        """Commit a file to a branch, which leaves main where it is new."""
        git(self.folder, "checkout", "-q", *(() if self._has(branch) else ("-b",)), branch)
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(name)
        git(self.folder, "add", "-A")
        git(self.folder, "commit", "-q", "-m", name)
        commit = git(self.folder, "rev-parse", "HEAD")
        git(self.folder, "checkout", "-q", "main")
        return commit

    def _has(self, branch: str) -> bool:
        return branch in git(self.folder, "branch", "--format=%(refname:short)").split()

    def open(self, number: int, branch: str, name: str = "page.md", **fields: Any) -> Pull:
        """Push a commit to a branch, and open a pull request of it, or add to the one there is."""
        commit = self.commit(branch, name)
        known = self.pulls.get(number, Pull(number, branch, commit))
        self.pulls[number] = replace(known, commit=commit, **fields)
        return self.pulls[number]

    def close(
        self, number: int | None = None, *, merged: bool = False, keep_branch: bool = False
    ) -> None:
        """Close a pull request; the server, if no number is given."""
        if number is None:
            super().close()
            return
        pull = self.pulls[number]
        base = git(self.folder, "rev-parse", pull.destination)
        if merged:
            git(self.folder, "merge", "-q", "--no-ff", "-m", "merged", pull.branch)
        if not keep_branch:
            git(self.folder, "branch", "-q", "-D", pull.branch)
        # Hosts keep what a pull request was made of.
        git(self.folder, "update-ref", f"refs/pull/{number}/head", pull.commit)
        self.pulls[number] = replace(pull, state="merged" if merged else "closed", base=base)

    # ---- the API

    def api(self, path: str, query: str) -> tuple[int, dict[str, str], bytes] | None:
        place = KINDS[self.kind]
        if not path.startswith("/api/"):
            return None
        kind = "list" if path == place else "one"
        if self.status != 200 and self.refused in ("all", kind):
            return self.status, self.extra, b'{"message": "no"}'
        if path == place:
            return self._list(parse_qs(query))
        number = path.removeprefix(f"{place}/")
        if path.startswith(place) and number.isdigit() and int(number) in self.pulls:
            return 200, {}, json.dumps(self._document(self.pulls[int(number)])).encode()
        return 404, {}, b'{"message": "Not Found"}'

    def _list(self, query: dict[str, list[str]]) -> tuple[int, dict[str, str], bytes]:
        wanted = "opened" if self.kind == ProviderType.GITLAB else "open"
        assert query["state"] == [wanted], "the host refuses what it does not know"
        first = (int(query["page"][0]) - 1) * self.page
        found = [pull for _, pull in sorted(self.pulls.items()) if pull.state == "open"]
        headers = {}
        if len(found) > first + self.page:
            headers["Link"] = f'<{self.address}/elsewhere?page=2>; rel="next"'
        shown = [self._document(pull) for pull in found[first : first + self.page]]
        return 200, headers, json.dumps(shown).encode()

    def _document(self, pull: Pull) -> dict[str, Any]:
        if self.kind == ProviderType.GITLAB:
            states = {"open": "opened"}
            return {
                "iid": pull.number,
                "sha": pull.commit,
                "state": states.get(pull.state, pull.state),
                "source_branch": pull.branch,
                "target_branch": pull.destination,
                "source_project_id": pull.repository,
                "target_project_id": 1,
                "diff_refs": self._diff_refs(pull),
            }
        return self._of_github_or_gitea(pull)

    def _diff_refs(self, pull: Pull) -> dict[str, str] | None:
        if not pull.base:
            return None
        return {"base_sha": git(self.folder, "merge-base", pull.base, pull.commit)}

    def _of_github_or_gitea(self, pull: Pull) -> dict[str, Any]:
        repository = {"id": pull.repository} if pull.repository else None
        head: dict[str, Any] = {"sha": pull.commit, "ref": pull.branch, "repo": repository}
        document = {
            "number": pull.number,
            "state": "open" if pull.state == "open" else "closed",
            "head": head,
            "base": {"sha": pull.base or "b" * 40, "ref": pull.destination, "repo": {"id": 1}},
        }
        if self.kind == ProviderType.GITEA:
            document["merge_base"] = pull.base and git(
                self.folder, "merge-base", pull.base, pull.commit
            )
            if pull.state != "open":
                # As it answers for one alone: with the branch as it is, or with its label.
                head["label"] = pull.branch
                if self._has(pull.branch):
                    head["sha"] = git(self.folder, "rev-parse", pull.branch)
                else:
                    head["ref"] = f"refs/pull/{pull.number}/head"
        return document
