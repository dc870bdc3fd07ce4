"""Polls an S3 source: one HEAD of the object, whose version is the answer (G-04, G-07)."""

import asyncio
import http.client
import io
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from urllib.parse import quote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from penstock.actions.execution import (
    CONFIGURATION_ERROR,
    PERMISSION_ERROR,
    SYSTEM_UNAVAILABLE,
    TIMED_OUT,
    ActionError,
)
from penstock.api.names import hash_of
from penstock.runtime.turns import Turns
from penstock.triggers.observations import POLL, Failed, Observation, Seen
from penstock.triggers.sources.addresses import AddressRules, RefusedAddressError, address_of
from penstock.triggers.sources.base import LONGEST_ERROR, SecretReader, Watch

_REGION = "us-east-1"
_WHERE = ("S3Bucket", "S3ObjectKey", "Endpoint", "Region")
# A HEAD has no body, and headers of some kilobytes.
_HEAD_BYTES = 64 * 1024
# Answers by which S3 names another region: that is said, not followed.
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class S3Object:
    """An object: the URL that is asked, the region that the request is signed for."""

    url: str
    host: str
    port: int
    region: str

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection is TLS."""
        return self.url.startswith("https://")


def object_of(configuration: Mapping[str, str]) -> S3Object:
    """Return where the object of a source action is: AWS's own address, or the Endpoint's."""
    region = configuration.get("Region") or _REGION
    bucket, key = (
        configuration.get("S3Bucket", ""),
        quote(configuration.get("S3ObjectKey", ""), safe="/~"),
    )
    endpoint = configuration.get("Endpoint")
    # A bucket's name may hold dots, which the wildcard of AWS's certificate does not cover: it
    # stands in the path.
    base = endpoint.rstrip("/") if endpoint else f"https://s3.{region}.amazonaws.com"
    parts = urlsplit(base)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return S3Object(f"{base}/{bucket}/{key}", parts.hostname or "", port, region)


class S3Source:
    """Looks at S3 sources; ``timeout_s`` limits a whole look, and so many are under way at a time.

    Without a CredentialsSecret the request is not signed: the identity of
    triggers is nobody's to use.
    """

    def __init__(
        self, secrets: SecretReader, rules: AddressRules, timeout_s: float, parallel: int
    ) -> None:
        self._secrets, self._rules, self._timeout_s = secrets, rules, timeout_s
        self._turns = Turns(parallel)

    trigger = POLL

    @staticmethod
    def identity(watch: Watch) -> str | None:
        """Return a hash of where the object is; None if it is not polled."""
        configuration = watch.configuration
        if configuration.get("PollForSourceChanges", "true") != "true":
            return None
        return S3Source.repository(watch)

    @staticmethod
    def repository(watch: Watch) -> str:
        """Return the object itself: nobody else looks at it."""
        return hash_of("S3", *(watch.configuration.get(key, "") for key in _WHERE))

    async def look(self, namespace: str, watch: Watch) -> Observation:
        """Return the object's version, or ETag if it has none; every error is an observation."""
        configuration = watch.configuration
        try:
            credentials: Credentials | None = None
            if name := configuration.get("CredentialsSecret"):
                keys = await self._secrets.texts(
                    namespace,
                    name,
                    ("accessKeyId", "secretAccessKey"),
                    switch="PollForSourceChanges",
                )
                credentials = Credentials(*keys.values())
            async with self._turns.of(namespace), asyncio.timeout(self._timeout_s):
                return await self._head(object_of(configuration), credentials)
        except RefusedAddressError as error:
            return Failed(f"{CONFIGURATION_ERROR}: {error}"[:LONGEST_ERROR])
        except TimeoutError:
            return Failed(f"{TIMED_OUT}: the S3 server took longer than {self._timeout_s:g} s")
        except (OSError, EOFError, asyncio.LimitOverrunError, http.client.HTTPException) as error:
            return Failed(
                f"{SYSTEM_UNAVAILABLE}: the S3 server could not be reached: {error}"[:LONGEST_ERROR]
            )
        except ActionError as error:
            return Failed(f"{error.code}: {error.message}"[:LONGEST_ERROR])

    async def _head(self, wanted: S3Object, credentials: Credentials | None) -> Observation:
        address = await address_of(wanted.host, wanted.port, self._rules, self._timeout_s)
        request = AWSRequest("HEAD", wanted.url)
        if credentials:
            S3SigV4Auth(credentials, "s3", wanted.region).add_auth(request)
        return await _ask(wanted, address, dict(request.headers))


async def _ask(wanted: S3Object, address: str, headers: Mapping[str, str]) -> Observation:
    """Send the request to the address that was checked; no redirect is followed.

    Without a thread, which nobody could end: a server that trickles its answer would keep it.
    """
    host = f"[{wanted.host}]" if ":" in wanted.host else wanted.host
    usual = 443 if wanted.is_encrypted else 80
    lines = [
        f"HEAD {urlsplit(wanted.url).path} HTTP/1.1",
        f"Host: {host}" if wanted.port == usual else f"Host: {host}:{wanted.port}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if not all(line.isprintable() for line in lines):
        raise ActionError(
            CONFIGURATION_ERROR, "the keys in CredentialsSecret hold a control character"
        )
    context = ssl.create_default_context() if wanted.is_encrypted else None
    name = wanted.host if context else None
    reader, writer = await asyncio.open_connection(
        address, wanted.port, ssl=context, server_hostname=name, limit=_HEAD_BYTES
    )
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head = await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()
    first, _, rest = head.partition(b"\r\n")
    status = first.split()[1:2]
    if not status or not status[0].isdigit():
        raise http.client.BadStatusLine(repr(first[:100]))
    return _read(
        wanted,
        int(status[0]),
        http.client.parse_headers(io.BytesIO(rest)),
        is_signed="Authorization" in headers,
    )


def _read(wanted: S3Object, status: int, headers: Message, *, is_signed: bool) -> Observation:
    if status == 200:
        # S3 gives the version null to what was written before the bucket kept versions.
        version = headers.get("x-amz-version-id", "")
        return Seen(version if version not in ("", "null") else headers.get("ETag", "").strip('"'))
    if status == 404:
        return Seen("", f"{wanted.url} was not found"[:LONGEST_ERROR])
    if status in _REDIRECTS or headers.get("x-amz-bucket-region", wanted.region) != wanted.region:
        region = headers.get("x-amz-bucket-region", "another one")
        raise ActionError(
            CONFIGURATION_ERROR, f"the bucket's region is {region}, not {wanted.region}; set Region"
        )
    if status in (401, 403):
        hint = (
            "check the keys in CredentialsSecret"
            if is_signed
            else "name a Secret with keys in CredentialsSecret"
        )
        raise ActionError(PERMISSION_ERROR, f"{wanted.url}: access was denied; {hint}")
    raise ActionError(
        SYSTEM_UNAVAILABLE, f"{wanted.url}: the S3 server answered with status {status}"
    )
