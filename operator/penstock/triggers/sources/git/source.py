"""How Git sources are looked at: one branch, or all that a trigger's filters watch (G-02..G-04)."""

import base64
import json
from dataclasses import dataclass, replace
from functools import partial

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.actions.git.remote import is_valid_ref
from penstock.api.names import hash_of
from penstock.runtime.turns import Turns
from penstock.triggers.observations import Failed, Observation, RefsSeen, Seen
from penstock.triggers.sources.base import LONGEST_ERROR, SecretReader, Watch
from penstock.triggers.sources.git.filtered import FilteredLook, WatchedRepository
from penstock.triggers.sources.git.host import Access, Credential
from penstock.triggers.sources.git.ls_remote import LsRemote
from penstock.triggers.sources.git.places import GitPlace, GitProvider
from penstock.triggers.sources.git.sharing import SharedAnswers


@dataclass(frozen=True, slots=True)
class GitLooks:
    """What looks at repositories, so many at a time: at one branch, or at what filters watch."""

    ls_remote: LsRemote
    turns: Turns
    filtered: FilteredLook
    shared: SharedAnswers


class GitSource:
    """Looks at the Git sources of one provider."""

    def __init__(self, secrets: SecretReader, looks: GitLooks, provider: GitProvider) -> None:
        self._secrets, self._looks, self._provider = secrets, looks, provider
        self.trigger = provider.trigger

    def identity(self, watch: Watch) -> str | None:
        """Return a hash of the source's place and of the filters on it; None if it is not polled.

        A trigger decides for its action in place of DetectChanges (G-03).
        """
        if watch.trigger is None:
            return self._provider.identity(watch.configuration)
        # Where filters decide, the action's own branch does not (G-03).
        own = {"BranchName": ""} if watch.is_filtered else {}
        place = self._provider.identity({**watch.configuration, "DetectChanges": "true", **own})
        if place is None or not watch.is_filtered:
            return place
        filters = [item.to_dict() for item in watch.trigger.push]
        pulls = [item.to_dict() for item in watch.trigger.pull_request]
        # Without pull requests the hash is what it was before they were looked at.
        kinds = (filters, pulls) if pulls else (filters,)
        return hash_of(place, *(json.dumps(kind, sort_keys=True) for kind in kinds))

    def repository(self, watch: Watch) -> str:
        """Return which repository it is, whatever branch or filter is watched."""
        provider = self._provider
        keys = (watch.configuration.get(key, "") for key in provider.repository_keys)
        return hash_of(type(provider).__name__, *keys)

    async def look(self, namespace: str, watch: Watch) -> Observation:
        """Return what the source is at now; every error is an observation, none goes further."""
        credential: Credential | None = None
        place: GitPlace | None = None
        try:
            place = await self._provider.place(namespace, watch.configuration)
            credential = await self._credential(namespace, place)
            access = Access(place.remote, credential, place.credential_place)
            seen: Seen | RefsSeen
            if watch.is_filtered:
                repository = WatchedRepository(namespace, access, place.pulls, watch)
                seen = await self._looks.filtered.look(repository)
            else:
                seen = await self._branch(namespace, access, place, watch.not_before)
        except ActionError as error:
            told = ActionError(error.code, _masked(error.message, credential))
            if place and place.report:
                await place.report(told)
            return Failed(f"{told.code}: {told.message}"[:LONGEST_ERROR])
        # Where the host has not told all, the Connection is as it was.
        if place.report and not seen.error:
            await place.report(None)
        # Masked first: what is cut in the middle of a secret is not found any more.
        return replace(seen, error=_masked(seen.error, credential)[:LONGEST_ERROR])

    async def _branch(
        self, namespace: str, access: Access, place: GitPlace, not_before: float
    ) -> Seen:
        wanted = place.wanted
        if wanted.ref and not is_valid_ref(wanted.ref):
            raise ActionError(CONFIGURATION_ERROR, f"{wanted.text} is no name that Git allows")
        async with self._looks.turns.of(namespace):
            ask = partial(self._looks.ls_remote.revision, access, wanted)
            revision = await self._looks.shared.of(("revision", access, wanted), not_before, ask)
        if revision:
            return Seen(revision)
        return Seen("", f"{wanted.text} was not found in {access.remote.url}"[:LONGEST_ERROR])

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
