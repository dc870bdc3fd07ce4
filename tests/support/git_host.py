"""The test cluster's Git host, a Gitea: repositories, pull requests, forks, webhooks by its API."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import urllib3

from tests.cluster import Cluster, GitServer
from tests.cluster.probe import answers
from tests.cluster.shell import wait_until

_LIMIT_S = 180


def ready(cluster: Cluster) -> GitServer:
    """Return the host once it answers; raise ClusterError when that takes too long."""
    host = cluster.git_host
    wait_until("the Git host", lambda: answers(f"{host.url}/api/healthz"), limit=_LIMIT_S)
    return host


@dataclass(frozen=True)
class HostedRepository:
    """A repository of a user of the host, as that user's API sees it."""

    host: GitServer
    owner: str
    name: str
    user: str
    password: str

    @classmethod
    def made(cls, host: GitServer, name: str) -> HostedRepository:
        """Make a repository of the host's first user, with one commit on main."""
        found = cls(host, host.user, name, host.user, host.password)
        found.ask("POST", "/user/repos", name=name, auto_init=True, default_branch="main")
        return found

    @property
    def full_name(self) -> str:
        """Owner and name."""
        return f"{self.owner}/{self.name}"

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """Send a request to the host's API; return its answer, None for one without a body."""
        answer = urllib3.request(
            method,
            f"{self.host.url}/api/v1{path}",
            headers={
                **urllib3.make_headers(basic_auth=f"{self.user}:{self.password}"),
                "Content-Type": "application/json",
            },
            body=json.dumps(body) if body else None,
            timeout=60.0,
        )
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.data[:500]!r}"
        return json.loads(answer.data) if answer.data else None

    def push(self, file: str, branch: str = "main", text: str = "") -> str:
        """Add a file to a branch, which leaves main where it is new; return the commit."""
        names = [item["name"] for item in self.ask("GET", f"{self._path}/branches")]
        where = {"branch": branch} if branch in names else {"new_branch": branch}
        content = base64.b64encode((text or file).encode()).decode()
        made = self.ask("POST", f"{self._path}/contents/{file}", content=content, **where)
        return str(made["commit"]["sha"])

    def open(self, branch: str, into: str = "main") -> int:
        """Open a pull request; return its number."""
        made = self.ask("POST", f"{self._path}/pulls", head=branch, base=into, title=branch)
        return int(made["number"])

    def close(self, number: int) -> None:
        """Close a pull request without merging it."""
        self.ask("PATCH", f"{self._path}/pulls/{number}", state="closed")

    def merge(self, number: int) -> None:
        """Merge a pull request, and delete its branch, once the host knows that it can."""
        wait_until("a pull request to merge", lambda: self._is_mergeable(number), limit=_LIMIT_S)
        how = {"Do": "merge", "delete_branch_after_merge": True}
        self.ask("POST", f"{self._path}/pulls/{number}/merge", **how)

    def _is_mergeable(self, number: int) -> bool:
        return bool(self.ask("GET", f"{self._path}/pulls/{number}")["mergeable"])

    def fork(self, user: str) -> HostedRepository:
        """Fork the repository as a new user, who may read it and no more."""
        made = {"username": user, "email": f"{user}@example.com", "password": self.password}
        self.ask("POST", "/admin/users", **made, must_change_password=False)
        forker = HostedRepository(self.host, user, self.name, user, self.password)
        forker.ask("POST", f"{self._path}/forks", name=self.name)
        return forker

    def call(self, url: str, secret: str) -> None:
        """Let the host tell an address of pushes and pull requests, signed with a secret."""
        config = {"url": url, "content_type": "json", "secret": secret}
        events = ["push", "create", "pull_request", "pull_request_sync"]
        self.ask(
            "POST", f"{self._path}/hooks", type="gitea", config=config, events=events, active=True
        )

    @property
    def _path(self) -> str:
        return f"/repos/{self.full_name}"
