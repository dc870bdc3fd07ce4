"""How a Git source is polled: which ref its configuration names, and what it points at (G-04)."""

import base64
from collections.abc import Mapping

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.actions.git.remote import is_valid_ref, remote_of, wanted_of
from penstock.api.names import hash_of
from penstock.cluster.client import Client
from penstock.runtime.turns import Turns
from penstock.triggers.decide import Failed, Observation, Seen
from penstock.triggers.ls_remote import Credential, LsRemote
from penstock.triggers.sources import LONGEST_ERROR, secret_texts


class GitSource:
    """Looks at Git sources; at most so many at a time."""

    def __init__(self, client: Client, ls_remote: LsRemote, parallel: int) -> None:
        self._client, self._ls_remote = client, ls_remote
        self._turns = Turns(parallel)

    @staticmethod
    def identity(configuration: Mapping[str, str]) -> str | None:
        """Return a hash of the source's place; None if it is not polled or never changes."""
        if configuration.get("PollForSourceChanges", "true") != "true" or configuration.get(
            "Commit"
        ):
            return None
        return hash_of("Git", *(configuration.get(key, "") for key in ("Url", "Branch", "Tag")))

    async def look(self, namespace: str, configuration: Mapping[str, str]) -> Observation:
        """Return what the source is at now; every error is an observation, none goes further."""
        credential: Credential | None = None
        try:
            remote, wanted = remote_of(configuration.get("Url", "")), wanted_of(configuration, None)
            if wanted.ref and not is_valid_ref(wanted.ref):
                raise ActionError(CONFIGURATION_ERROR, f"{wanted.text} is no name that Git allows")
            if name := configuration.get("CredentialsSecret"):
                credential = await self._credential(namespace, name)
            async with self._turns.of(namespace):
                revision = await self._ls_remote.revision(remote, wanted, credential)
        except ActionError as error:
            return Failed(_masked(f"{error.code}: {error.message}", credential)[:LONGEST_ERROR])
        if revision:
            return Seen(revision)
        return Seen("", f"{wanted.text} was not found in {remote.url}"[:LONGEST_ERROR])

    async def _credential(self, namespace: str, name: str) -> Credential:
        return Credential(
            *await secret_texts(self._client, namespace, name, ("username", "password"))
        )


def _masked(text: str, credential: Credential | None) -> str:
    """No server may make us publish what we sent to it."""
    if credential is None or not credential.password:
        return text
    basic = base64.b64encode(f"{credential.user}:{credential.password}".encode()).decode()
    return text.replace(credential.password, "***").replace(basic, "***")
