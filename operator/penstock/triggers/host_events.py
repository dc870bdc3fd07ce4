"""What a Git host has told of a Connection's repositories, and which sources that is about.

The receiver writes which repository was told of, and when; what is new there is looked at by the
poller. So an event is a hint and never a fact: what it starts is decided by the look, and an event
that is told twice, or forged, or never comes changes nothing but when the look is.
"""

from collections.abc import Collection, Iterable

from penstock.actions.git.hosts.connections import ConnectionObject, NoConnectionError, find
from penstock.api.document import Document
from penstock.api.meta import ANNOTATION_ARN
from penstock.triggers.observations import Key
from penstock.triggers.pipelines import readable, source_actions

_PROVIDER = "CodeStarSourceConnection"


def news_of(document: Document, before: Document | None) -> set[str] | None:
    """Return the repositories that were told of since, in small letters; None means any.

    A Connection that is new, or says something else now, is news of every repository.
    """
    if before is None or _says(document) != _says(before):
        return None
    told, known = (
        (item.get("status") or {}).get("repositoryEvents") or {} for item in (document, before)
    )
    return {name.lower() for name, when in told.items() if known.get(name) != when}


def _says(document: Document) -> tuple[object, object]:
    meta = document["metadata"]
    return meta["generation"], (meta.get("annotations") or {}).get(ANNOTATION_ARN)


def sources_told_of(
    pipeline: Document,
    connection: Document,
    connections: Iterable[ConnectionObject],
    repositories: Collection[str] | None,
) -> list[Key]:
    """Return the sources of a Pipeline that fetch these repositories through the Connection.

    None means any repository.
    """
    found = readable(pipeline)
    if found is None:
        return []
    known = list(connections)
    return [
        (item.stage, item.action.name)
        for item in source_actions(found[0])
        if item.provider == _PROVIDER
        and (
            repositories is None
            or item.action.configuration.get("FullRepositoryId", "").lower() in repositories
        )
        and _is_through(item.action.configuration.get("ConnectionArn", ""), connection, known)
    ]


def _is_through(arn: str, connection: Document, known: list[ConnectionObject]) -> bool:
    try:
        found, _ = find(known, arn)
    except NoConnectionError:
        return False
    return found.uid == str(connection["metadata"]["uid"])
