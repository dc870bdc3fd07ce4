"""Which sources an event of a host is about: only those are looked at out of turn."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.api.document import Document
from penstock.triggers.host_events import news_of, sources_told_of
from penstock.triggers.sources.git.places import connection_of

ARN = "arn:aws:codeconnections:eu-west-1:123456789012:connection/1111"


def connection(name: str = "corp", generation: int = 1, events: Document | None = None) -> Document:
    meta = {"namespace": "team", "name": name, "uid": f"uid-{name}", "generation": generation}
    spec = {"providerType": "GitHub", "arn": ARN} if name == "corp" else {"providerType": "GitHub"}
    return {"metadata": meta, "spec": spec, "status": {"repositoryEvents": events or {}}}


def source(name: str, repository: str, arn: str = ARN, **fields: Any) -> Document:
    given = {"ConnectionArn": arn, "FullRepositoryId": repository, "BranchName": "main"}
    return {
        "name": name,
        "actionTypeId": {"category": "Source", "provider": "CodeStarSourceConnection"},
        "configuration": {**given, **fields},
        "outputArtifacts": [{"name": name}],
    }


def pipeline(*sources: Document, ready: str = "True") -> Document:
    build = {"name": "Make", "actionTypeId": {"category": "Compute", "provider": "Commands"}}
    condition = {"type": "Ready", "status": ready, "reason": "Valid"}
    return {
        "metadata": {"namespace": "team", "name": "web", "uid": "u", "generation": 1},
        "spec": {
            "stages": [
                {"name": "Source", "actions": list(sources)},
                {"name": "Build", "actions": [{**build, "commands": ["true"]}]},
            ]
        },
        "status": {"observedGeneration": 1, "conditions": [condition]},
    }


@pytest.mark.parametrize(
    ("after", "before", "news"),
    [
        (connection(), None, None),
        (connection(generation=2), connection(), None),
        (connection(), connection(), set()),
        (connection(events={"Team/Shop": "1"}), connection(), {"team/shop"}),
        (connection(events={"a": "1", "b": "2"}), connection(events={"a": "1", "b": "1"}), {"b"}),
        (connection(events={"a": "1"}), connection(events={"a": "1"}), set()),
    ],
    ids=["new", "edited", "nothing", "first event", "one of two", "no event"],
)
def test_news_are_what_was_told_since(
    after: Document, before: Document | None, news: set[str] | None
) -> None:
    assert news_of(after, before) == news


def test_sources_of_the_repository_and_connection_are_found() -> None:
    known = [connection_of(connection()), connection_of(connection("other"))]
    asked = pipeline(
        source("Shop", "Team/Shop"),
        source("Docs", "team/docs"),
        source("Foreign", "team/shop", arn="other"),
        source("Nowhere", "team/shop", arn="missing"),
    )
    assert sources_told_of(asked, connection(), known, {"team/shop"}) == [("Source", "Shop")]
    assert sources_told_of(asked, connection(), known, None) == [
        ("Source", "Shop"),
        ("Source", "Docs"),
    ]


def test_pipeline_that_is_not_ready_is_not_looked_at() -> None:
    known = [connection_of(connection())]
    asked = pipeline(source("Shop", "team/shop"), ready="False")
    assert sources_told_of(asked, connection(), known, None) == []
