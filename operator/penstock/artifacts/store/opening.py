"""Opens the artifact store at a location: a volume's folder, or a bucket with its credentials."""

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from obstore import exceptions
from obstore.store import LocalStore, S3Store

from penstock.api.contract.contracts import StoreLocation
from penstock.artifacts.errors import ArtifactError
from penstock.artifacts.store.errors import brief
from penstock.artifacts.store.store import BACKOFF, Store

if TYPE_CHECKING:
    from obstore.store import S3Config

_NO_LIMIT = timedelta(days=7)
# More than fit into the time that a request may take: the time alone ends it.
_TRIES = 1000
# How long a store may be away, as it is when it starts anew: that costs time, and no run.
_AWAY_S = 60.0
_KEYS: tuple[tuple[str, Literal["access_key_id", "secret_access_key"]], ...] = (
    ("accessKeyId", "access_key_id"),
    ("secretAccessKey", "secret_access_key"),
)
# Checked by us: obstore panics at some of what is no URL.
_ENDPOINT = re.compile(r"https?://[A-Za-z0-9._\[\]:-]+(/\S*)?")


def open_store(
    location: StoreLocation, timeout_s: float, what: str = "The artifact store"
) -> Store:
    """Return the store at a location, called ``what`` in errors; nothing is sent yet.

    ``timeout_s`` bounds how long a request may be without progress. One that fails is made again
    until twice this time is over, a minute at most: as long as a store takes to start anew.
    """
    if location.folder:
        where = f'{what} "{location.bucket}" (a volume)'
        try:
            return Store(LocalStore(location.folder), where)
        except exceptions.BaseError as error:
            raise ArtifactError(
                "ConfigurationError", f"{where} is not there: {brief(str(error))}"
            ) from error
    where = f'{what} "{location.bucket}"' + (
        f" at {location.endpoint}" if location.endpoint else ""
    )
    return _open_s3(location, timeout_s, where)


def _open_s3(location: StoreLocation, timeout_s: float, where: str) -> Store:
    if location.endpoint and not _ENDPOINT.fullmatch(location.endpoint):
        raise ArtifactError(
            "ConfigurationError", f"{where}: the endpoint is not an http or https URL"
        )
    config = _credentials(location, where)
    config["region"] = location.region or "us-east-1"
    if location.kms_key:
        config["server_side_encryption"] = "aws:kms"
        config["sse_kms_key_id"] = location.kms_key
    if location.endpoint:
        config["endpoint"] = location.endpoint
    pause = timedelta(seconds=timeout_s)
    away = min(2 * pause, timedelta(seconds=_AWAY_S))
    try:
        backend = S3Store(
            location.bucket,
            prefix=location.prefix or None,
            config=config,
            # A server at an endpoint of its own need not have a host name for each bucket.
            virtual_hosted_style_request=location.endpoint is None,
            client_options={
                "allow_http": (location.endpoint or "").startswith("http://"),
                "connect_timeout": pause / 6,
                "read_timeout": pause / 2,
                # Only silence has a limit: a large object may take its time.
                "timeout": _NO_LIMIT,
            },
            retry_config={"max_retries": _TRIES, "retry_timeout": away, "backoff": BACKOFF},
        )
    except (exceptions.BaseError, ValueError) as error:
        raise ArtifactError(
            "ConfigurationError", f"{where} is not configured well: {brief(str(error))}"
        ) from error
    return Store(backend, where, away.total_seconds())


def _credentials(location: StoreLocation, where: str) -> "S3Config":
    config: S3Config = {}
    if location.credentials is None:
        return config
    folder = Path(location.credentials)
    for name, option in _KEYS:
        try:
            config[option] = (folder / name).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactError(
                "ConfigurationError",
                f"{where}: the credentials' Secret is missing, or has no key {name}",
            ) from error
    return config
