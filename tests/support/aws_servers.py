"""The AWS servers of the test cluster: waiting until they answer, and clients of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

from tests.cluster import AwsServer, Cluster
from tests.cluster.probe import answers
from tests.cluster.shell import wait_until

_HEALTH = {"aws": "/_ministack/health", "moto": "/moto-api/", "serverlessrepo": "/health"}
_LIMIT_S = 90


def ready(cluster: Cluster, name: str) -> AwsServer:
    """Return the server of this name once it answers; raise ClusterError when that takes too long.

    Its state lives as long as its pod: tests give what they make names of their own.
    """
    server: AwsServer = getattr(cluster, name)
    wait_until(
        f"the server {name}", lambda: answers(server.endpoint + _HEALTH[name]), limit=_LIMIT_S
    )
    return server


def wait_for(done: Callable[[], bool], what: str = "the servers' answer") -> None:
    """Wait until something holds; raise ClusterError when that takes too long."""
    wait_until(what, done, limit=_LIMIT_S)


def client(server: AwsServer, service: str) -> Any:
    """Return a boto3 client of a server, for this process."""
    return boto3.client(
        service,
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name=server.region,
        config=Config(connect_timeout=5, read_timeout=20, s3={"addressing_style": "path"}),
    )
