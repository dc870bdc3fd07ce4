"""What an action waits for until a test lets it go on: no sleep has to be long enough."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

import boto3
from botocore.config import Config

from tests.cluster import Cluster
from tests.support.install import BUCKET, s3_client

_VALID_S = 3600


@dataclass
class Gate:
    """An object in the store that is there while the gate is open; it is closed at first."""

    cluster: Cluster
    key: str = field(default_factory=lambda: f"gates/{secrets.token_hex(8)}")

    @property
    def line(self) -> str:
        """The command of a shell that waits, where the image has wget, as busybox does."""
        return f"until wget -q -O /dev/null '{self._url}' 2>/dev/null; do sleep 0.2; done"

    @property
    def python_line(self) -> str:
        """The same where the image has Python."""
        return (
            "python3 -c 'import sys, time, urllib.request\n"
            "while True:\n"
            "    try:\n"
            "        urllib.request.urlopen(sys.argv[1], timeout=5)\n"
            "        break\n"
            f"    except OSError:\n        time.sleep(0.2)' '{self._url}'"
        )

    def open(self) -> None:
        """Let everything go on that waits, and all that comes."""
        s3_client(self.cluster).put_object(Bucket=BUCKET, Key=self.key, Body=b"open")

    def close(self) -> None:
        """Let what comes wait again."""
        s3_client(self.cluster).delete_object(Bucket=BUCKET, Key=self.key)

    @property
    def _url(self) -> str:
        """An address that needs no credential: it is signed, for the name in the cluster."""
        found = self.cluster.s3
        client = boto3.client(
            "s3",
            endpoint_url=found.cluster_endpoint,
            aws_access_key_id=found.access_key,
            aws_secret_access_key=found.secret_key,
            region_name=found.region,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )
        place = {"Bucket": BUCKET, "Key": self.key}
        url: str = client.generate_presigned_url("get_object", Params=place, ExpiresIn=_VALID_S)
        return url
