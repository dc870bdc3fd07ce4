"""What a Git source fetches, and with which credential, whichever provider's action names it."""

from typing import NamedTuple

from penstock.actions.git.remote import Remote, Wanted

CREDENTIALS_SECRET = "CredentialsSecret"


class SourceCommit(NamedTuple):
    """One commit of one repository.

    ``authorization`` is the header that the credential travels in, empty without one. It goes to
    the remote's origin alone. ``credential_place`` is where a user names the credential, and
    ``address_place`` where a user names the repository: messages say it.
    """

    remote: Remote
    wanted: Wanted
    authorization: str = ""
    credential_place: str = CREDENTIALS_SECRET
    address_place: str = "Url"
    with_history: bool = False
    """Whether the artifact has ``.git`` and all history (CODEBUILD_CLONE_REF)."""
    with_submodules: bool = False
    with_lfs: bool = False
    has_fetch_keys: bool = False
    """Whether FetchSubmodules and FetchLfs are keys of the provider."""

    def advice(self, key: str) -> str:
        """Return how a user gets what was not fetched, by a key of the source Git."""
        if self.has_fetch_keys:
            return f'set {key} to "true" to fetch'
        return f"a source action ThirdParty / Git has {key} to fetch"
