"""How Git sources are polled: where the configuration says they are, and what is there (G-04)."""

import base64
from collections.abc import Mapping

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.actions.git.remote import is_valid_ref
from penstock.runtime.turns import Turns
from penstock.triggers.decide import Failed, Observation, Seen
from penstock.triggers.sources.base import LONGEST_ERROR, SecretReader
from penstock.triggers.sources.git_places import GitPlace, GitProvider
from penstock.triggers.sources.ls_remote import Credential, LsRemote


class GitSource:
    """Looks at the Git sources of one provider; ``turns`` say how many at a time."""

    def __init__(
        self, secrets: SecretReader, ls_remote: LsRemote, turns: Turns, provider: GitProvider
    ) -> None:
        self._secrets, self._ls_remote = secrets, ls_remote
        self._turns, self._provider = turns, provider

    def identity(self, configuration: Mapping[str, str]) -> str | None:
        """Return a hash of the source's place; None if it is not polled or never changes."""
        return self._provider.identity(configuration)

    async def look(self, namespace: str, configuration: Mapping[str, str]) -> Observation:
        """Return what the source is at now; every error is an observation, none goes further."""
        credential: Credential | None = None
        place: GitPlace | None = None
        try:
            place = await self._provider.place(namespace, configuration)
            wanted = place.wanted
            if wanted.ref and not is_valid_ref(wanted.ref):
                raise ActionError(CONFIGURATION_ERROR, f"{wanted.text} is no name that Git allows")
            credential = await self._credential(namespace, place)
            async with self._turns.of(namespace):
                revision = await self._ls_remote.revision(
                    place.remote, wanted, credential, place.credential_place
                )
        except ActionError as error:
            told = ActionError(error.code, _masked(error.message, credential))
            if place and place.report:
                await place.report(told)
            return Failed(f"{told.code}: {told.message}"[:LONGEST_ERROR])
        if place.report:
            await place.report(None)
        if revision:
            return Seen(revision)
        return Seen("", f"{wanted.text} was not found in {place.remote.url}"[:LONGEST_ERROR])

    async def _credential(self, namespace: str, place: GitPlace) -> Credential | None:
        if not place.secret:
            return None
        texts = await self._secrets.texts(
            namespace, place.secret, *place.choices, switch=place.switch
        )
        return place.credential_of(texts)


def _masked(text: str, credential: Credential | None) -> str:
    """No server may make us publish what we sent to it."""
    if credential is None or not credential.password:
        return text
    basic = base64.b64encode(f"{credential.user}:{credential.password}".encode()).decode()
    return text.replace(credential.password, "***").replace(basic, "***")
