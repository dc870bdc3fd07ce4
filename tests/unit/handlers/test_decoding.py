"""Kopf's own listing and watching, and ours, against a server that sends
objects too deep to read, and too large.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import kopf
import pytest
from aiohttp import web
from kopf._cogs.clients import auth, fetching, watching
from kopf._cogs.structs import credentials, references

from penstock.cluster.client import Client
from penstock.cluster.credentials import Credentials
from penstock.cluster.pages import MOST_BYTES
from penstock.cluster.resources import Resource
from penstock.handlers.decoding import CHUNK, decode_safely

PIPELINES = references.Resource("penstock.dev", "v1alpha1", "pipelines", namespaced=True)
SPEC = '{"a":' * 1_200 + "1" + "}" * 1_200
DEEP = f'{{"kind":"Pipeline","metadata":{{"name":"deep","namespace":"n"}},"spec":{SPEC}}}'


LARGE = "x" * 1_500_000
COUNT = 60
PAGES: list[tuple[int, int]] = []
"""The limit and the bytes of each page that the server has begun to send."""


def page(request: web.Request) -> web.Response:
    """Return a page of so many objects, each as large as the API server lets it be."""
    first, limit = int(request.query.get("continue", "0")), int(request.query["limit"])
    last = min(COUNT, first + limit)
    items = [
        {"metadata": {"name": f"p{number}", "namespace": "n"}, "spec": LARGE}
        for number in range(first, last)
    ]
    meta = {"resourceVersion": "1", "continue": str(last) if last < COUNT else ""}
    response = web.json_response({"items": items, "metadata": meta})
    PAGES.append((limit, len(response.text or "")))
    return response


async def answer(request: web.Request) -> web.StreamResponse:
    if "large" in request.path:
        return page(request)
    if "watch" not in request.query:
        return web.Response(text=f'{{"items":[{DEEP}],"metadata":{{"resourceVersion":"1"}}}}')
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(f'{{"type":"ADDED","object":{DEEP}}}\n'.encode())
    return response


@pytest.fixture
async def server() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    PAGES.clear()
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


@pytest.fixture
async def settings(server: str) -> AsyncIterator[kopf.OperatorSettings]:
    decode_safely()
    vault = credentials.Vault()
    await vault.populate({"test": kopf.ConnectionInfo(server=server)})
    auth.vault_var.set(vault)
    found = kopf.OperatorSettings()
    found.watching.chunk_size = CHUNK
    yield found
    await vault.close()


async def test_attack_01_kopf_lists_an_object_too_deep_to_read(
    settings: kopf.OperatorSettings,
) -> None:
    names = [
        item["metadata"]["name"]
        async for items, _ in fetching.fetch_objs(
            settings=settings, resource=PIPELINES, namespace=None, logger=logging.getLogger()
        )
        for item in items
    ]

    assert names == ["deep"]


def pages_that_fit() -> list[int]:
    return [size for _, size in PAGES if size <= MOST_BYTES]


async def test_attack_02_kopf_lists_no_more_than_fits_at_once(
    settings: kopf.OperatorSettings,
) -> None:
    """Large objects, all of them in one answer, have ended operators just as they came back."""
    names: list[str] = []
    resource = references.Resource("penstock.dev", "v1alpha1", "large", namespaced=True)
    async for items, _ in fetching.fetch_objs(
        settings=settings, resource=resource, namespace=None, logger=logging.getLogger()
    ):
        assert len(json.dumps(items)) <= MOST_BYTES
        names += [item["metadata"]["name"] for item in items]

    assert names == [f"p{number}" for number in range(COUNT)]
    # What it has learnt it keeps: few pages are begun in vain.
    assert len(PAGES) - len(pages_that_fit()) <= 5


async def test_attack_02_client_lists_no_more_than_fits_at_once(server: str) -> None:
    async with Client(Credentials(server=server)) as client:
        names = [
            item["metadata"]["name"]
            async for item in client.list(Resource("Large", "apis/x/v1", "large"), None)
        ]

    assert names == [f"p{number}" for number in range(COUNT)]
    assert len(PAGES) - len(pages_that_fit()) <= 5


async def test_pages_of_small_objects_grow(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "LARGE", "x")
    async with Client(Credentials(server=server)) as client:
        names = [
            item["metadata"]["name"]
            async for item in client.list(Resource("Large", "apis/x/v1", "large"), None)
        ]

    assert len(names) == COUNT
    assert [limit for limit, _ in PAGES] == [50, 100]


async def test_attack_01_kopf_watches_an_object_too_deep_to_read(
    settings: kopf.OperatorSettings,
) -> None:
    events: list[Any] = []
    pause = asyncio.get_running_loop().create_future()
    async for event in watching.watch_objs(
        settings=settings,
        resource=PIPELINES,
        namespace=None,
        since="1",
        operator_pause_waiter=pause,
    ):
        events.append(event)
        break

    assert [event["object"]["metadata"]["name"] for event in events] == ["deep"]
