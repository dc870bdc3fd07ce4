"""How Git sources are looked at: one branch, or all that a trigger's filters watch (G-02..G-04)."""

import base64
import json
from dataclasses import dataclass
from functools import partial

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.actions.git.remote import BRANCHES, is_valid_ref
from penstock.api.globs.syntax import GlobError
from penstock.api.names import hash_of
from penstock.runtime.turns import Turns
from penstock.triggers.filters import PushFilters
from penstock.triggers.observations import Failed, Observation, RefsSeen, Seen
from penstock.triggers.sources.base import LONGEST_ERROR, SecretReader, Watch
from penstock.triggers.sources.changed_files import Push
from penstock.triggers.sources.git_host import Access, Credential
from penstock.triggers.sources.git_places import GitPlace, GitProvider
from penstock.triggers.sources.judging import FilteredSource, PushJudge
from penstock.triggers.sources.ls_remote import LsRemote
from penstock.triggers.sources.matching import Matching


@dataclass(frozen=True, slots=True)
class GitLooks:
    """What looks at repositories, so many at a time, and what judges the pushes that are seen."""

    ls_remote: LsRemote
    turns: Turns
    matching: Matching
    judge: PushJudge


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
        return hash_of(place, json.dumps(filters, sort_keys=True))

    async def look(self, namespace: str, watch: Watch) -> Observation:
        """Return what the source is at now; every error is an observation, none goes further."""
        credential: Credential | None = None
        place: GitPlace | None = None
        try:
            place = await self._provider.place(namespace, watch.configuration)
            credential = await self._credential(namespace, place)
            access = Access(place.remote, credential, place.credential_place)
            if watch.is_filtered:
                seen = await self._refs(namespace, access, watch)
            else:
                seen = await self._branch(namespace, access, place)
        except ActionError as error:
            told = ActionError(error.code, _masked(error.message, credential))
            if place and place.report:
                await place.report(told)
            return Failed(f"{told.code}: {told.message}"[:LONGEST_ERROR])
        if place.report:
            await place.report(None)
        return seen

    async def _branch(self, namespace: str, access: Access, place: GitPlace) -> Observation:
        wanted = place.wanted
        if wanted.ref and not is_valid_ref(wanted.ref):
            raise ActionError(CONFIGURATION_ERROR, f"{wanted.text} is no name that Git allows")
        async with self._looks.turns.of(namespace):
            revision = await self._looks.ls_remote.revision(access, wanted)
        if revision:
            return Seen(revision)
        return Seen("", f"{wanted.text} was not found in {access.remote.url}"[:LONGEST_ERROR])

    async def _refs(self, namespace: str, access: Access, watch: Watch) -> Observation:
        filters = PushFilters.of(watch.trigger) if watch.trigger else None
        assert filters, "only a watch with filters is looked at in this way"
        async with self._looks.turns.of(namespace):
            every = await self._looks.ls_remote.refs(access, filters.prefixes)
        try:
            found = await self._looks.matching.run(namespace, partial(filters.watched, every))
        except GlobError as error:
            raise ActionError(CONFIGURATION_ERROR, str(error)) from error
        if len(found) > watch.most_refs:
            raise ActionError(
                CONFIGURATION_ERROR,
                f"the filters of the trigger watch {len(found)} branches and tags of "
                f"{access.remote.url}, more than the {watch.most_refs} that are remembered; write "
                f"narrower includes, or excludes",
            )
        if watch.refs is None:
            return RefsSeen(found)
        # What an answer leaves out is not believed to be gone: it stays known as long as there is
        # room, and is a change only when it comes back at another commit.
        missing = [item for item in watch.refs.items() if item[0] not in found]
        # Branches go for good more often than tags.
        missing.sort(key=lambda item: item[0].startswith(BRANCHES))
        refs = {**dict(missing[: watch.most_refs - len(found)]), **found}
        changed = [
            Push(ref, watch.refs.get(ref, ""), commit)
            for ref, commit in refs.items()
            if watch.refs.get(ref) != commit
        ]
        verdicts = await self._looks.judge.judge(
            FilteredSource(namespace, watch.name, access, filters), changed
        )
        return RefsSeen(
            refs,
            verdicts.starting,
            verdicts.undecided,
            # Only if this look has led on: else the next one waits for its time.
            is_partial=0 < len(verdicts.undecided) < len(changed),
            error=_masked("; ".join(verdicts.errors), access.credential)[:LONGEST_ERROR],
        )

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
