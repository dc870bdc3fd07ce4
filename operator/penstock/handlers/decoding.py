"""Lets Kopf's watches survive an object that Python's json cannot read.

Kopf decodes in two places, each with a decoder that raises RecursionError, and ends with it: one object of one
tenant would stop every namespace. Kopf has no setting for a decoder, so both places are replaced;
tests/unit/handlers/test_decoding.py runs Kopf's own listing and watching against a server that sends such an object.
"""

from types import SimpleNamespace
from typing import Any

from kopf._cogs.clients import api

from penstock.cluster.decoding import decode


def decode_safely() -> None:
    """Replace the decoders of Kopf's lists and watches; a second call changes nothing."""
    vars(api).update(json=SimpleNamespace(loads=decode), get=_get)


async def _get(url: str, **arguments: Any) -> Any:
    async with await api.request(method="get", url=url, **arguments) as response:
        return decode(await response.read())
