"""The Connection object: a Git host, and how to authenticate to it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from penstock.api.fields import DnsName
from penstock.api.model import Model, list_map, rule, rules
from penstock.api.status.conditions import Condition


class ProviderType(StrEnum):
    """Which host it is: CodeConnections' own types, and three more."""

    BITBUCKET = "Bitbucket"
    GITHUB = "GitHub"
    GITHUB_ENTERPRISE_SERVER = "GitHubEnterpriseServer"
    GITLAB = "GitLab"
    GITLAB_SELF_MANAGED = "GitLabSelfManaged"
    AZURE_DEVOPS = "AzureDevOps"
    GITEA = "Gitea"
    FORGEJO = "Forgejo"
    GIT = "Git"
    """Any other host that serves Git over HTTP."""


_ENDPOINTS = {
    ProviderType.BITBUCKET: "https://bitbucket.org",
    ProviderType.GITHUB: "https://github.com",
    ProviderType.GITLAB: "https://gitlab.com",
    ProviderType.AZURE_DEVOPS: "https://dev.azure.com",
}
_HOSTED = ", ".join(f"'{item}'" for item in _ENDPOINTS)


class ConnectionSpec(Model):
    """Which host, and as whom."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                f"has(self.endpoint) || self.providerType in [{_HOSTED}]",
                "endpoint is needed: this host is where its owner has installed it, such as "
                "https://git.example.com",
            )
        )
    }

    provider_type: ProviderType
    endpoint: (
        Annotated[
            str,
            StringConstraints(pattern=r"^https?://[A-Za-z0-9][^\s@?#]*$", max_length=500),
        ]
        | None
    ) = None
    """The host's address, with a path if repositories are below one.

    A host that its company runs has its public address as default, such as https://github.com.
    """
    arn: (
        Annotated[
            str,
            StringConstraints(
                pattern=r"^arn:aws(-[\w]+)*:(codestar-connections|codeconnections):.+:connection/.+$",
                max_length=256,
            ),
        ]
        | None
    ) = None
    """The ConnectionArn of definitions from AWS that means this Connection.

    Without it the last part of a ConnectionArn is taken as the Connection's name.
    """
    credentials_secret: DnsName | None = None
    """A Secret of this namespace, sent to this host alone.

    It has the key ``token``, or ``username`` and ``password``. Public repositories need none.
    """

    webhook_secret: DnsName | None = None
    """A Secret of this namespace with the key ``secret``, by which the host signs its webhooks.

    Without it no webhook is taken for this Connection, and its sources are polled.
    """

    @property
    def address(self) -> str:
        """The host's address, whether it was given or is the public one; empty if neither."""
        return self.endpoint or _ENDPOINTS.get(self.provider_type, "")


MOST_REPOSITORIES = 500
"""The repositories of a Connection whose last event its status keeps."""


class ConnectionStatus(Model):
    """Whether the Connection works, by the last look that triggers took through it.

    It is empty while no source that goes through it is polled.
    """

    observed_generation: int | None = None
    last_checked_time: str | None = None
    """When the host was asked last; at most every ten minutes while nothing changes."""
    repository_events: Annotated[dict[str, str], Field(max_length=MOST_REPOSITORIES)] = {}
    """When the host told of a repository last, by its full name. The receiver writes it."""
    conditions: Annotated[tuple[Condition, ...], Field(json_schema_extra=list_map("type"))] = ()
    """Ready: whether the host answers and takes the credential, with its words if not."""


class FrozenConnection(Model):
    """The Connection that an attempt fetches through, as it was when the attempt started."""

    name: str
    uid: str
    generation: int
    revision: str
    """The ControllerRevision that holds its spec."""
