"""Asks the API of a Git host: at an address that was checked, and for so many bytes and seconds.

What a host answers is anybody's: its words go into messages cut short, and lead nowhere else.
"""

import asyncio
import functools
import json
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
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
# What is packed could unfold to any size.
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "penstock",
}
_DENIED, _MISSING, _TOO_MANY = (401, 403), 404, 429
_PORTS = {"https": 443, "http": 80}


class MissingError(ActionError):
    """There is nothing at an address, or the credential may not see it."""


class ApiAnswer(NamedTuple):
    """What a host answers, and whether it has another page behind it."""

    document: Any
    has_more: bool


@dataclass(frozen=True, slots=True)
class HostApi:
    """Sends requests to hosts. ``timeout_s`` limits one, from name resolution on."""

    rules: AddressRules
    timeout_s: float

    async def get(self, url: str, headers: Mapping[str, str]) -> ApiAnswer:
        """Return an answer; raise ActionError, and MissingError for a 404."""
        try:
            async with asyncio.timeout(self.timeout_s):
                text, has_more = await self._answer(url, headers)
        except RefusedAddressError as error:
            raise ActionError(CONFIGURATION_ERROR, str(error)) from error
        except TimeoutError as error:
            raise ActionError(
                TIMED_OUT, f"{_host(url)} took longer than {self.timeout_s:g} s"
            ) from error
        except ssl.SSLError as error:
            raise ActionError(SYSTEM_UNAVAILABLE, f"{_host(url)}: {error}"[:300]) from error
        # ValueError: a credential that no header can hold.
        except (aiohttp.ClientError, OSError, ValueError) as error:
            what = str(error) or type(error).__name__
            raise ActionError(SYSTEM_UNAVAILABLE, f"{_host(url)}: {what}"[:300]) from error
        # Some milliseconds for the largest: in a thread all the same, as many may come at once.
        return ApiAnswer(await asyncio.to_thread(_json, url, text), has_more)

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
            _check(url, response)
            return await _read(url, response), "next" in response.links


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


def _check(url: str, response: aiohttp.ClientResponse) -> None:
    """Raise ActionError for all but success."""
    status, host = response.status, _host(url)
    if status == 200:
        return
    if status == _MISSING:
        raise MissingError(
            CONFIGURATION_ERROR,
            f"{url} was not found, or the credential may not read its pull requests",
        )
    is_limited = response.headers.get("X-RateLimit-Remaining") == "0"
    if status == _TOO_MANY or (status in _DENIED and is_limited):
        raise ActionError(SYSTEM_UNAVAILABLE, f"{host} takes no more requests for now ({status})")
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


async def _read(url: str, response: aiohttp.ClientResponse) -> bytes:
    data = b""
    async for chunk in response.content.iter_chunked(65_536):
        data += chunk
        if len(data) > _LONGEST_ANSWER:
            raise ActionError(
                SYSTEM_UNAVAILABLE,
                f"{_host(url)} answers with more than {_LONGEST_ANSWER // 1024:,} KiB",
            )
    return data


def _json(url: str, answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise ActionError(
            SYSTEM_UNAVAILABLE, f"{_host(url)} answers with what is no JSON: {url}"
        ) from error


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
