"""Kopf's own listing and watching, against a server that sends an object too deep for Python's json."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import kopf
import pytest
from aiohttp import web
from kopf._cogs.clients import auth, fetching, watching
from kopf._cogs.structs import credentials, references

from penstock.handlers.decoding import decode_safely

PIPELINES = references.Resource("penstock.dev", "v1alpha1", "pipelines", namespaced=True)
SPEC = '{"a":' * 1_200 + "1" + "}" * 1_200
DEEP = f'{{"kind":"Pipeline","metadata":{{"name":"deep","namespace":"n"}},"spec":{SPEC}}}'


async def answer(request: web.Request) -> web.StreamResponse:
    if "watch" not in request.query:
        return web.Response(text=f'{{"items":[{DEEP}],"metadata":{{"resourceVersion":"1"}}}}')
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(f'{{"type":"ADDED","object":{DEEP}}}\n'.encode())
    return response


@pytest.fixture
async def settings() -> AsyncIterator[kopf.OperatorSettings]:
    decode_safely()
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    vault = credentials.Vault()
    await vault.populate({"test": kopf.ConnectionInfo(server=f"http://127.0.0.1:{port}")})
    auth.vault_var.set(vault)
    yield kopf.OperatorSettings()
    await vault.close()
    await runner.cleanup()


async def test_attack_01_kopf_lists_an_object_too_deep_to_read(settings: kopf.OperatorSettings) -> None:
    names = [
        item["metadata"]["name"]
        async for items, _ in fetching.fetch_objs(
            settings=settings, resource=PIPELINES, namespace=None, logger=logging.getLogger()
        )
        for item in items
    ]

    assert names == ["deep"]


async def test_attack_01_kopf_watches_an_object_too_deep_to_read(settings: kopf.OperatorSettings) -> None:
    events: list[Any] = []
    pause = asyncio.get_running_loop().create_future()
    async for event in watching.watch_objs(
        settings=settings, resource=PIPELINES, namespace=None, since="1", operator_pause_waiter=pause
    ):
        events.append(event)
        break

    assert [event["object"]["metadata"]["name"] for event in events] == ["deep"]
