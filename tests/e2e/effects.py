"""Effects outside the cluster that can be counted: each try of an action
leaves one object in a bucket.
"""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.cluster import Cluster
from tests.e2e.conftest import commands
from tests.e2e.gates import Gate
from tests.support.install import make_bucket, s3_client
from tests.support.kube import Document

_WRITE = (
    "PYTHONPATH=/opt/penstock/lib python3 -c 'import os, obstore; from obstore.store import "
    "S3Store; e = os.environ; "
    'names = ("RUN_UID", "STAGE", "ACTION", "ATTEMPT", "TRY", "POD_UID"); '
    'key = "effects/" + "/".join(e["PENSTOCK_" + n] for n in names); '
    'store = S3Store(e["BUCKET"], endpoint=e["ENDPOINT"], client_options={"allow_http": True}); '
    'obstore.put(store, key, e["HOSTNAME"].encode())\''
)


@dataclass
class Effects:
    """A bucket that actions write to, one object per pod that got as far as its effect."""

    cluster: Cluster
    bucket: str = field(default_factory=lambda: f"effects-{secrets.token_hex(4)}")

    def __post_init__(self) -> None:
        make_bucket(self.cluster, self.bucket)

    def action(
        self,
        name: str,
        *,
        sleep_s: float = 0.0,
        before: Gate | None = None,
        after: Gate | None = None,
        **fields: Any,
    ) -> Document:
        """Return an action that waits, writes its object and waits again.

        It waits so many seconds, or for the gates ``before`` and ``after`` its effect.
        """
        environment = {
            "BUCKET": self.bucket,
            "ENDPOINT": self.cluster.s3.cluster_endpoint,
            "AWS_ACCESS_KEY_ID": self.cluster.s3.access_key,
            "AWS_SECRET_ACCESS_KEY": self.cluster.s3.secret_key,
            "AWS_REGION": self.cluster.s3.region,
        }
        variables = [{"name": key, "value": value} for key, value in environment.items()]
        pause = [f"sleep {sleep_s}"] if sleep_s else []
        first = [before.python_line] if before else pause
        last = [after.python_line] if after else pause
        lines = (*first, _WRITE, *last)
        return commands(
            name, *lines, image=self.cluster.image, environmentVariables=variables, **fields
        )

    def keys(self) -> list[str]:
        """Return the keys of all objects."""
        listed = s3_client(self.cluster).list_objects_v2(Bucket=self.bucket)
        return sorted(item["Key"] for item in listed.get("Contents", []))

    def per_try(self) -> Counter[str]:
        """Return how many objects each try left: run uid/stage/action/attempt/try."""
        return Counter(key.removeprefix("effects/").rpartition("/")[0] for key in self.keys())


def tries_of(run: Document) -> list[str]:
    """Return every try that a run's status shows, in the words of `Effects.per_try`."""
    return sorted(
        f"{run['metadata']['uid']}/{stage['stageName']}/{action['actionName']}/{row['attempt']}/{row['try']}"
        for stage in run["status"]["stageStates"]
        for action in stage["actionStates"]
        for row in action["executions"]
    )
