"""Asks the API of a Git host: at an address that was checked, and for so many bytes and seconds.

What a host answers is anybody's: its words go into messages cut short, and lead nowhere else.
"""

import asyncio
import functools
import json
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from penstock.actions.execution import (
    CONFIGURATION_ERROR,
    PERMISSION_ERROR,
    SYSTEM_UNAVAILABLE,
    TIMED_OUT,
    ActionError,
)
from penstock.triggers.sources.addresses import AddressRules, RefusedAddressError, address_of

# Twenty-five pull requests of GitHub fit, each with the longest text that it may have.
_LONGEST_ANSWER = 8 * 1024 * 1024
# Parsing holds the loop up, and so many take a tenth of a second and some 50 MiB; a host sends a
# hundredth of it.
_MOST_VALUES = 200_000
_LESS = "shorten the texts of its open pull requests, or close some"
# What is packed could unfold to any size.
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "penstock",
}
_DENIED, _MISSING, _TOO_MANY = (401, 403), 404, 429
_PORTS = {"https": 443, "http": 80}

T = TypeVar("T")


class MissingError(ActionError):
    """There is nothing at an address, or the credential may not see it."""


@dataclass(frozen=True, slots=True)
class HostApi:
    """Sends requests to hosts. ``timeout_s`` limits one, from name resolution on."""

    rules: AddressRules
    timeout_s: float
    reader: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "answers"))
    """Reads one answer at a time, whosever it is: memory is for one."""

    async def get(
        self, url: str, headers: Mapping[str, str], read: Callable[[Any], T]
    ) -> tuple[T, bool]:
        """Return what ``read`` makes of an answer, and whether another page is behind it.

        Raise ActionError, and MissingError for a 404. ``read`` runs in a thread.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                text, has_more = await self._answer(url, headers)
                loop = asyncio.get_running_loop()
                found = await loop.run_in_executor(self.reader, _read, url, text, read)
        except RefusedAddressError as error:
            raise ActionError(CONFIGURATION_ERROR, str(error)) from error
        except TimeoutError as error:
            raise ActionError(
                TIMED_OUT, f"{_host(url)} took longer than {self.timeout_s:g} s"
            ) from error
        # ValueError: a credential that no header can hold.
        except (aiohttp.ClientError, OSError, ValueError) as error:
            what = str(error) or type(error).__name__
            raise ActionError(SYSTEM_UNAVAILABLE, f"{_host(url)}: {what}"[:300]) from error
        return found, has_more

    async def _answer(self, url: str, headers: Mapping[str, str]) -> tuple[bytes, bool]:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)
        address = await address_of(host, port, self.rules, self.timeout_s)
        connector = aiohttp.TCPConnector(resolver=_Known(address), ssl=_tls())
        session = aiohttp.ClientSession(connector=connector, trust_env=False, auto_decompress=False)
        async with (
            session,
            # A redirect is never followed: it would take the credential elsewhere.
            session.get(url, headers={**_HEADERS, **headers}, allow_redirects=False) as response,
        ):
            _check(url, response, has_credential="Authorization" in headers)
            # Looked for as text, in one header: where it leads is not asked.
            has_more = 'rel="next"' in response.headers.get("Link", "")
            return await _body(url, response), has_more


class _Known(AbstractResolver):
    """Resolves any host to one address: what was checked is what is connected to."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=self._address,
                port=port,
                family=socket.AF_INET6 if ":" in self._address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Hold nothing."""


@functools.cache
def _tls() -> ssl.SSLContext:
    # Read once: that takes tens of milliseconds. A company's own authority is named as for git.
    return ssl.create_default_context(cafile=os.environ.get("GIT_SSL_CAINFO") or None)


def _check(url: str, response: aiohttp.ClientResponse, *, has_credential: bool) -> None:
    """Raise ActionError for all but success."""
    status, host = response.status, _host(url)
    if status == 200:
        return
    if status == _MISSING:
        raise MissingError(
            CONFIGURATION_ERROR,
            f"{url} was not found, or the credential may not read its pull requests",
        )
    headers = response.headers
    is_limited = headers.get("X-RateLimit-Remaining") == "0" or "Retry-After" in headers
    if status == _TOO_MANY or (status in _DENIED and is_limited):
        advice = "" if has_credential else "; with a token in credentialsSecret it takes more"
        raise ActionError(
            SYSTEM_UNAVAILABLE, f"{host} takes no more requests for now ({status}){advice}"
        )
    if status in _DENIED:
        raise ActionError(
            PERMISSION_ERROR,
            f"{host} does not let the credential read pull requests ({status}): {url}",
        )
    if 300 <= status < 400:
        raise ActionError(
            CONFIGURATION_ERROR, f"{url} has moved ({status}): name where the repository is now"
        )
    raise ActionError(SYSTEM_UNAVAILABLE, f"{host} answered with {status}")


async def _body(url: str, response: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        data += chunk
        if len(data) > _LONGEST_ANSWER:
            raise ActionError(
                SYSTEM_UNAVAILABLE,
                f"{_host(url)} answers with more than {_LONGEST_ANSWER // 1024:,} KiB; {_LESS}",
            )
    return bytes(data)


def _is_small(text: bytes) -> bool:
    """Whether an answer has no more values than are read: what stands within texts is none."""
    plain = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > 2 * _MOST_VALUES:
        return False
    outside = b"".join(plain.split(b'"')[::2])
    return sum(map(outside.count, (b"{", b"[", b":", b","))) <= _MOST_VALUES


def _read(url: str, text: bytes, read: Callable[[Any], T]) -> T:
    if not _is_small(text):
        raise ActionError(
            SYSTEM_UNAVAILABLE,
            f"{_host(url)} answers with more than {_MOST_VALUES:,} values; {_LESS}",
        )
    try:
        return read(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise ActionError(
            SYSTEM_UNAVAILABLE, f"{_host(url)} answers with what is no JSON: {url}"
        ) from error


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
