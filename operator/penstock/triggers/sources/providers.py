"""Makes what looks at the sources of every provider that is polled."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from penstock.api.document import Document
from penstock.cluster.client import Client
from penstock.runtime.turns import Turns
from penstock.triggers.config import TriggerSettings
from penstock.triggers.sources.base import SecretReader, SourceProvider
from penstock.triggers.sources.connection_reports import ConnectionReports
from penstock.triggers.sources.git.changed_files import ChangedFiles
from penstock.triggers.sources.git.filtered import FilteredLook
from penstock.triggers.sources.git.host import GitHost
from penstock.triggers.sources.git.host_api import HostApi
from penstock.triggers.sources.git.judging import ChangeJudge
from penstock.triggers.sources.git.ls_remote import LsRemote
from penstock.triggers.sources.git.matching import Matching
from penstock.triggers.sources.git.places import (
    CodeCommit,
    GitHub,
    GitProvider,
    PlainGit,
    ThroughConnection,
)
from penstock.triggers.sources.git.pull_requests import PullRequests
from penstock.triggers.sources.git.sharing import SharedAnswers
from penstock.triggers.sources.git.source import GitLooks, GitSource
from penstock.triggers.sources.s3 import S3Source

# Comparisons at a time, one of them for one namespace: each is some processes and much disk.
_COMPARING = 2
# Pipelines that are due at the same moment have their passes within so many seconds.
_FRESH_S = 5.0


def providers_of(
    client: Client, settings: TriggerSettings, connections_of: Callable[[str], list[Document]]
) -> dict[str, SourceProvider]:
    """Return the providers by name; ``connections_of`` gives a namespace's Connections."""
    rules, secrets = settings.rules(), SecretReader(client, settings.service_account)
    # Of our own process: others of the machine may compare, too.
    scratch = Path(tempfile.gettempdir()) / f"penstock-{os.getpid()}"
    changed_files = ChangedFiles(GitHost(rules, settings.compare_timeout_s), scratch)
    changed_files.begin()
    matching = Matching()
    ls_remote, turns = LsRemote(GitHost(rules, settings.timeout_s)), Turns(settings.parallel)
    shared = SharedAnswers(min(_FRESH_S, settings.poll_s / 4))
    filtered = FilteredLook(
        ls_remote,
        PullRequests(HostApi(rules, settings.timeout_s)),
        turns,
        matching,
        ChangeJudge(changed_files, matching, Turns(_COMPARING)),
        shared,
    )
    looks = GitLooks(ls_remote, turns, filtered, shared)
    of_git: dict[str, GitProvider] = {
        "Git": PlainGit(),
        "GitHub": GitHub(),
        "CodeCommit": CodeCommit(),
        "CodeStarSourceConnection": ThroughConnection(connections_of, ConnectionReports(client)),
    }
    return {
        **{name: GitSource(secrets, looks, provider) for name, provider in of_git.items()},
        "S3": S3Source(secrets, rules, settings.timeout_s, settings.parallel),
    }
