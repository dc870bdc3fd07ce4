"""What Git hosts have in common, and where they differ: addresses of repositories, users of tokens.

The types are CodeConnections' own (Bitbucket, GitHub, GitHubEnterpriseServer, GitLab,
GitLabSelfManaged, AzureDevOps) and three more: Gitea, Forgejo, and Git for any other host.
"""

from penstock.api.kinds.connection import ProviderType

# The user that goes with a token where no user is asked for: each host documents its own.
_TOKEN_USERS = {
    ProviderType.BITBUCKET: "x-token-auth",
    ProviderType.GITHUB: "x-access-token",
    ProviderType.GITHUB_ENTERPRISE_SERVER: "x-access-token",
    ProviderType.GITLAB: "oauth2",
    ProviderType.GITLAB_SELF_MANAGED: "oauth2",
}


def token_user(provider_type: str) -> str:
    """Return the user that a token is sent with."""
    return _TOKEN_USERS.get(ProviderType(provider_type), "git")


def repository_url(provider_type: str, endpoint: str, full_id: str) -> str:
    """Return where git finds a repository of a host, by its FullRepositoryId."""
    place = endpoint.rstrip("/")
    if provider_type == ProviderType.AZURE_DEVOPS:
        project, _, repository = full_id.rpartition("/")
        return f"{place}/{project}/_git/{repository}"
    return f"{place}/{full_id}.git"
