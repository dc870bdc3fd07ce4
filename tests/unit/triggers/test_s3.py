"""S3 sources: where an object is, which addresses are refused, and what each answer becomes."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from unittest.mock import create_autospec

import pytest

from penstock.triggers.observations import Failed, Observation, Seen
from penstock.triggers.sources.addresses import AddressRules
from penstock.triggers.sources.base import SecretReader, Watch
from penstock.triggers.sources.s3 import S3Source, object_of
from tests.unit.artifacts.s3_server import S3Server

WHERE = {"S3Bucket": "my.releases", "S3ObjectKey": "a b/app+1.zip"}
LOOPBACK = AddressRules(allowed=(ipaddress.ip_network("127.0.0.0/8"),))


async def look(endpoint: str, rules: AddressRules = LOOPBACK, timeout_s: float = 5) -> Observation:
    source = S3Source(create_autospec(SecretReader), rules, timeout_s, 1)
    return await source.look("team", Watch({**WHERE, "Endpoint": endpoint}))


def test_object_is_at_its_regions_address_or_at_the_endpoint() -> None:
    assert object_of({**WHERE, "Region": "eu-west-1"}).url == (
        "https://s3.eu-west-1.amazonaws.com/my.releases/a%20b/app%2B1.zip"
    )
    found = object_of({**WHERE, "Endpoint": "http://minio:9000/"})
    assert (found.url, found.host, found.port) == (
        "http://minio:9000/my.releases/a%20b/app%2B1.zip",
        "minio",
        9000,
    )


def test_source_is_another_one_when_any_part_of_where_it_is_changes() -> None:
    changed = [
        {},
        {"S3Bucket": "other"},
        {"S3ObjectKey": "x"},
        {"Endpoint": "http://x"},
        {"Region": "eu-west-1"},
    ]
    assert len({S3Source.identity(Watch({**WHERE, **change})) for change in changed}) == len(
        changed
    )
    assert S3Source.identity(Watch({**WHERE, "PollForSourceChanges": "false"})) is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, Seen("", "was not found")),
        (403, Failed("PermissionError: ")),
        (
            301,
            Failed(
                "ConfigurationError: the bucket's region is another one, not us-east-1; set Region"
            ),
        ),
        (503, Failed("SystemUnavailable: ")),
    ],
)
async def test_answer_of_the_server_becomes_an_observation(
    status: int, expected: Observation
) -> None:
    with S3Server(status) as server:
        seen = await look(server.address)
    assert type(seen) is type(expected)
    assert expected.error in seen.error
    assert server.requests == ["HEAD /my.releases/a%20b/app%2B1.zip"], "no redirect is followed"


async def test_address_within_the_network_is_refused_before_anything_is_sent() -> None:
    with S3Server(200) as server:
        seen = await look(server.address, AddressRules())
    assert isinstance(seen, Failed)
    assert "an address within the cluster or its network" in seen.error
    assert server.requests == []


async def test_server_that_says_nothing_costs_no_more_than_the_limit() -> None:
    with S3Server(200, hang=True) as server:
        seen = await look(server.address, timeout_s=0.5)
    assert isinstance(seen, Failed)


async def test_server_that_trickles_its_answer_costs_no_more_than_the_limit_and_is_left() -> None:
    left = asyncio.Event()

    async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"H")
                await writer.drain()
                await asyncio.sleep(0.01)
        left.set()

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    async with server:
        seen = await look(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout_s=0.5)
        await asyncio.wait_for(left.wait(), 10)
    assert seen == Failed("TimedOut: the S3 server took longer than 0.5 s")
