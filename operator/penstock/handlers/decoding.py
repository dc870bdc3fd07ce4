"""Lets Kopf's lists and watches survive objects that are too deep or too large.

Anybody may write them. Too deep means too deep for Python's json.

Kopf decodes in two places, each with a decoder that raises RecursionError, and ends with it: one
object of one tenant would stop every namespace. Kopf lists a number of objects at a time, whatever
their size. It has no setting for either, so both places are replaced;
tests/unit/handlers/test_decoding.py runs Kopf's own listing and watching against a server that
sends such objects.
"""

from collections import defaultdict
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from kopf._cogs.clients import api

from penstock.cluster.decoding import decode
from penstock.cluster.pages import PageSize, PageTooLargeError

CHUNK = 50
"""Makes Kopf list in pages at all; how large they are is decided by what they weigh."""

_sizes: defaultdict[str, PageSize] = defaultdict(PageSize)


def decode_safely() -> None:
    """Replace the decoders of Kopf's lists and watches; a second call changes nothing."""
    vars(api).update(json=SimpleNamespace(loads=decode), get=_get)


async def _get(url: str, **arguments: Any) -> Any:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    # Kopf asks for pages in a LIST alone.
    size = _sizes[parts.path] if "limit" in query else None
    while True:
        if size:
            url = parts._replace(query=urlencode({**query, "limit": size.limit})).geturl()
        async with await api.request(method="get", url=url, **arguments) as response:
            try:
                return decode(await (size.read(response) if size else response.read()))
            except PageTooLargeError:
                continue
