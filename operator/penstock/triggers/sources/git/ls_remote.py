"""What stands in a remote repository: one ``git ls-remote``, of one ref or of all."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.actions.git.remote import BRANCHES, TAGS, Wanted, is_valid_ref
from penstock.triggers.sources.git.child import ChildLimits
from penstock.triggers.sources.git.host import URL, Access, GitHost, LongAnswerError

# A remote names the refs that were asked for: two or three. Memory is per process, and a look has
# two: hostile servers together fit the container's limit.
_OF_ONE = ChildLimits(memory=40 * 1024 * 1024, file=0, output=256 * 1024)
# Some 30,000 branches, or 14,000 tags that are objects; their names are compared with patterns.
_OF_ALL = _OF_ONE._replace(output=2 * 1024 * 1024)
_TOO_MANY = (
    "it has more branches and tags than a filter looks at; delete those that nobody needs, or "
    "follow one branch, by BranchName without filters"
)
_LONGEST_REF = 255
"""Bytes, so that a status can hold as many as it may."""
_HEX = frozenset("0123456789abcdef")
_OPTIONS = {BRANCHES: "--heads", TAGS: "--tags"}


@dataclass(frozen=True, slots=True)
class LsRemote:
    """Looks at refs."""

    host: GitHost

    async def revision(self, access: Access, wanted: Wanted) -> str:
        """Return a ref's commit, empty if there is no such ref; raise ActionError on failure."""
        ref = wanted.ref or "HEAD"
        # A tag may be an object of its own: the second name is the commit behind it.
        patterns = (ref, f"{ref}^{{}}") if ref.startswith(TAGS) else (ref,)
        answer = await self.host.run(access, ("ls-remote", "--", URL, *patterns), _OF_ONE)
        return commit_of(answer, ref)

    async def refs(self, access: Access, prefixes: Collection[str]) -> dict[str, str]:
        """Return all branches, tags or both, with their commits; raise ActionError on failure."""
        kinds = [option for prefix, option in _OPTIONS.items() if prefix in prefixes]
        try:
            return refs_of(await self.host.run(access, ("ls-remote", *kinds, "--", URL), _OF_ALL))
        except LongAnswerError as error:
            raise ActionError(CONFIGURATION_ERROR, f"{error.message}: {_TOO_MANY}") from error

    async def default_branch(self, access: Access) -> str:
        """Return the ref that HEAD names, empty if it names none; raise ActionError on failure."""
        command = ("ls-remote", "--symref", "--", URL, "HEAD")
        for line in (await self.host.run(access, command, _OF_ONE)).split(b"\n"):
            target, _, name = line.partition(b"\t")
            ref = target.removeprefix(b"ref: ").decode("utf-8", "replace")
            # A server's answer is no more trusted than a user's text.
            if target.startswith(b"ref: refs/heads/") and name == b"HEAD" and is_valid_ref(ref):
                return ref
        return ""


def commit_of(answer: bytes, ref: str) -> str:
    """Return the commit of exactly this ref, a tag's own if the tag is an object.

    Ignore the rest of the answer.
    """
    found = dict(_lines(answer))
    return found.get(f"{ref}^{{}}".encode()) or found.get(ref.encode(), "")


def refs_of(answer: bytes) -> dict[str, str]:
    """Return the branches and tags of an answer, a tag's own commit if the tag is an object."""
    found: dict[str, str] = {}
    for line, commit in _lines(answer):
        # A name that is no text could not be told from another one.
        ref = line.decode("utf-8", "ignore").removesuffix("^{}")
        is_text = ref.encode() == line.removesuffix(b"^{}")
        if is_text and len(line) <= _LONGEST_REF and is_ref(ref):
            # The commit behind a tag comes after the tag.
            found[ref] = commit
    return found


def _lines(answer: bytes) -> Iterator[tuple[bytes, str]]:
    for line in answer.split(b"\n"):
        commit, _, name = line.partition(b"\t")
        text = commit.decode("ascii", "replace")
        if is_commit(text):
            yield name, text


def is_commit(text: str) -> bool:
    """Whether a text is a whole commit id, of either length that Git has."""
    return len(text) in (40, 64) and _HEX.issuperset(text)


def is_ref(text: str) -> bool:
    """Whether a text names a branch or a tag that Git could have."""
    return text.startswith((BRANCHES, TAGS)) and is_valid_ref(text)
