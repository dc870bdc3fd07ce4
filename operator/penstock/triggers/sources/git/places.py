"""Where the source actions of Git's providers are, and with which Secret: read for the poller."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import NamedTuple, Protocol

from botocore.credentials import Credentials
from pydantic import ValidationError

from penstock.actions.codecommit.signature import repository_url as codecommit_url
from penstock.actions.codecommit.signature import sign_in
from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.actions.git.hosts.connections import (
    ConnectionObject,
    NoConnectionError,
    connection_object,
    find,
)
from penstock.actions.git.hosts.repositories import repository_url, token_user
from penstock.actions.git.remote import Remote, Wanted, remote_of, wanted_of
from penstock.actions.github import declaration as github
from penstock.api.document import Document
from penstock.api.kinds.connection import ConnectionSpec
from penstock.api.names import hash_of
from penstock.triggers.observations import POLL, WEBHOOK
from penstock.triggers.sources.connection_reports import ConnectionReports
from penstock.triggers.sources.git.host import Credential
from penstock.triggers.sources.git.pull_requests import PullPlace

_PAIR = ("username", "password")
_TOKEN_OR_PAIR = (("token",), _PAIR)
_AWS_KEYS = ("accessKeyId", "secretAccessKey")


def _pair(texts: Mapping[str, str]) -> Credential:
    return Credential(texts["username"], texts["password"])


def _token_of(user: str) -> Callable[[Mapping[str, str]], Credential]:
    """Return what makes a credential of a Secret with a token, or with user and password."""
    return lambda texts: Credential(user, texts["token"]) if "token" in texts else _pair(texts)


class GitPlace(NamedTuple):
    """What to look at. ``secret`` is the Secret of the credential, or empty.

    ``choices`` are the keys that it may have, and ``credential_of`` makes a credential of theirs.
    ``credential_place`` is where a user names the Secret, and ``switch`` the key that turns polling
    off, for messages.
    """

    remote: Remote
    wanted: Wanted
    secret: str = ""
    choices: tuple[tuple[str, ...], ...] = (_PAIR,)
    credential_of: Callable[[Mapping[str, str]], Credential] = _pair
    credential_place: str = "CredentialsSecret"
    switch: str = "PollForSourceChanges"
    report: Callable[[ActionError | None], Awaitable[None]] | None = None
    """Takes what a look found, None where the host has answered."""
    pulls: PullPlace | None = None
    """Where its pull requests are."""


class GitProvider(Protocol):
    """Reads the configurations of one provider; ``trigger`` is what starts its runs on AWS."""

    trigger: str
    repository_keys: tuple[str, ...]
    """The keys of a configuration that name the repository, whatever the branch."""

    @staticmethod
    def identity(configuration: Mapping[str, str]) -> str | None:
        """Return a hash of the source's place; None if it is not polled or never changes."""

    async def place(self, namespace: str, configuration: Mapping[str, str]) -> GitPlace:
        """Return where the source is now; raise ActionError."""


class PlainGit:
    """Sources ThirdParty / Git, by their Url."""

    trigger = POLL
    repository_keys: tuple[str, ...] = ("Url",)

    @staticmethod
    def identity(configuration: Mapping[str, str]) -> str | None:
        """Return a hash of Url, Branch and Tag; None for a Commit, or where polling is off."""
        if configuration.get("PollForSourceChanges", "true") != "true" or configuration.get(
            "Commit"
        ):
            return None
        return hash_of("Git", *(configuration.get(key, "") for key in ("Url", "Branch", "Tag")))

    async def place(self, namespace: str, configuration: Mapping[str, str]) -> GitPlace:
        """Return the place that the configuration names."""
        return GitPlace(
            remote_of(configuration.get("Url", "")),
            wanted_of(configuration, None),
            configuration.get("CredentialsSecret", ""),
        )


class GitHub:
    """Sources ThirdParty / GitHub (version 1)."""

    trigger = POLL
    repository_keys: tuple[str, ...] = ("Owner", "Repo")

    @staticmethod
    def identity(configuration: Mapping[str, str]) -> str | None:
        """Return a hash of owner, repository and branch; None where polling is off."""
        if configuration.get("PollForSourceChanges", "true") != "true":
            return None
        keys = ("Owner", "Repo", "Branch")
        return hash_of("GitHub", *(configuration.get(key, "") for key in keys))

    async def place(self, namespace: str, configuration: Mapping[str, str]) -> GitPlace:
        """Return the place on github.com."""
        full_name = f"{configuration.get('Owner', '')}/{configuration.get('Repo', '')}"
        return GitPlace(
            remote_of(f"{github.HOST}/{full_name}.git"),
            wanted_of(configuration, None),
            configuration.get("OAuthToken", ""),
            _TOKEN_OR_PAIR,
            _token_of(token_user("GitHub")),
            "OAuthToken",
        )


class CodeCommit:
    """Sources AWS / CodeCommit. Triggers have no identity on AWS: the action must name keys."""

    trigger = POLL
    repository_keys: tuple[str, ...] = ("Endpoint", "Region", "RepositoryName")

    @staticmethod
    def identity(configuration: Mapping[str, str]) -> str | None:
        """Return a hash of server, region, repository and branch; None where polling is off."""
        if configuration.get("PollForSourceChanges", "true") != "true":
            return None
        keys = ("Endpoint", "Region", "RepositoryName", "BranchName")
        return hash_of("CodeCommit", *(configuration.get(key, "") for key in keys))

    async def place(self, namespace: str, configuration: Mapping[str, str]) -> GitPlace:
        """Return the place in the region, or at the server that the configuration names."""
        region, secret = (configuration.get(key, "") for key in ("Region", "CredentialsSecret"))
        if not (region and secret):
            raise ActionError(
                CONFIGURATION_ERROR,
                "to poll CodeCommit, name Region and CredentialsSecret, as triggers have no "
                'identity on AWS; or set PollForSourceChanges to "false"',
            )
        name = configuration.get("RepositoryName", "")
        url = codecommit_url(configuration.get("Endpoint"), region, name)

        def credential_of(texts: Mapping[str, str]) -> Credential:
            if "username" in texts:
                return _pair(texts)
            return Credential(*sign_in(Credentials(*texts.values()), region, url))

        return GitPlace(
            remote_of(url),
            wanted_of({"Branch": configuration.get("BranchName", "")}, None),
            secret,
            (_AWS_KEYS, _PAIR),
            credential_of,
        )


class ThroughConnection:
    """Sources AWS / CodeStarSourceConnection, through a Connection of their namespace."""

    trigger = WEBHOOK
    repository_keys: tuple[str, ...] = ("ConnectionArn", "FullRepositoryId")

    def __init__(self, known: Callable[[str], list[Document]], reports: ConnectionReports) -> None:
        self._known, self._reports = known, reports

    @staticmethod
    def identity(configuration: Mapping[str, str]) -> str | None:
        """Return a hash of Connection, repository and branch; None where DetectChanges is off."""
        if configuration.get("DetectChanges", "true") != "true":
            return None
        keys = ("ConnectionArn", "FullRepositoryId", "BranchName")
        return hash_of("Connection", *(configuration.get(key, "") for key in keys))

    async def place(self, namespace: str, configuration: Mapping[str, str]) -> GitPlace:
        """Return the place at the Connection's host."""
        documents = {item["metadata"]["uid"]: item for item in self._known(namespace)}
        try:
            known = [connection_of(document) for document in documents.values()]
            found, spec = find(known, configuration.get("ConnectionArn", ""))
        except NoConnectionError as error:
            raise ActionError(CONFIGURATION_ERROR, str(error)) from error
        full_id = configuration.get("FullRepositoryId", "")
        return GitPlace(
            remote_of(repository_url(spec.provider_type, spec.address, full_id)),
            wanted_of({"Branch": configuration.get("BranchName", "")}, None),
            spec.credentials_secret or "",
            _TOKEN_OR_PAIR,
            _token_of(token_user(spec.provider_type)),
            f"credentialsSecret of Connection {found.name}",
            "DetectChanges",
            partial(self._reports.tell, documents[found.uid]),
            PullPlace(spec.provider_type, spec.address, full_id),
        )


def connection_of(document: Document) -> ConnectionObject:
    """Read a Connection."""
    try:
        spec = ConnectionSpec.model_validate(document.get("spec") or {})
    except ValidationError as error:
        return connection_object(document["metadata"], None, str(error.errors()[0]["msg"])[:200])
    return connection_object(document["metadata"], spec, "")
