"""The secrets of webhooks: read where the namespace lets us, remembered for a minute."""

import base64
import binascii
import logging
import time
from datetime import UTC, datetime

from penstock.api.document import Document
from penstock.api.kinds.connection import ConnectionSpec, ConnectionStatus
from penstock.api.meta import RECEIVER
from penstock.api.status.conditions import Condition, ConditionType
from penstock.cluster.client import Client
from penstock.cluster.errors import ClusterError, ForbiddenError, NotFoundError
from penstock.cluster.resources import CONNECTIONS, SECRETS
from penstock.triggers.connection_status import body_of, with_condition
from penstock.triggers.sources.base import how_to_let_read

log = logging.getLogger(__name__)

_KEY = "secret"
# A secret that was changed is known after so long; strangers' deliveries cost no request each.
_REMEMBER_S = 60.0
# Somebody is about to put it right.
_FAILED_S = 5.0
_REMEMBERED = 10_000


class WebhookSecrets:
    """Reads secrets, and tells in the Connection's status whether webhooks are taken."""

    def __init__(self, client: Client, service_account: str) -> None:
        self._client, self._account = client, service_account
        self._known: dict[tuple[str, str], tuple[bytes, float]] = {}
        self._told: dict[str, tuple[int, str]] = {}
        """By uid: the generation that was told of, and what was told."""

    async def of(self, document: Document, spec: ConnectionSpec) -> bytes:
        """Return the secret of a Connection's webhook, empty if it cannot be read."""
        namespace, name = document["metadata"]["namespace"], spec.webhook_secret or ""
        secret, until = self._known.get((namespace, name), (b"", 0.0))
        if until > time.monotonic():
            return secret
        secret, problem = await self._read(namespace, name)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        remember = _REMEMBER_S if secret else _FAILED_S
        self._known[namespace, name] = secret, time.monotonic() + remember
        await self._tell(document, problem)
        return secret

    async def _read(self, namespace: str, name: str) -> tuple[bytes, str]:
        """Return the secret, or nothing and why."""
        try:
            found = await self._client.get(SECRETS, namespace, name)
            secret = base64.b64decode((found.get("data") or {}).get(_KEY, ""))
        except ForbiddenError:
            how = how_to_let_read(namespace, name, self._account)
            return b"", f"the receiver may not read the Secret {name}; let it, by {how}"
        except NotFoundError:
            return b"", f"there is no Secret {name}"
        except (ClusterError, binascii.Error) as error:
            return b"", f"the Secret {name} could not be read: {error}"
        secret = secret.strip(b"\r\n")
        return secret, "" if secret else f"the Secret {name} has no key {_KEY}"

    async def _tell(self, document: Document, problem: str) -> None:
        meta = document["metadata"]
        news = (meta["generation"], problem)
        if self._told.get(meta["uid"]) == news:
            return
        condition = Condition(
            type=ConditionType.WEBHOOKS_READY,
            status="False" if problem else "True",
            reason="SecretNotRead" if problem else "Listening",
            message=problem or "deliveries of the host are taken",
            observed_generation=meta["generation"],
        )
        status = ConnectionStatus(conditions=with_condition(document, condition, datetime.now(UTC)))
        body = body_of(document, status.to_dict())
        try:
            await self._client.apply_status(
                CONNECTIONS, meta["namespace"], meta["name"], body, RECEIVER
            )
        except ClusterError as error:
            log.warning("The status of a Connection was not written: %s", error)
            return
        if len(self._told) >= _REMEMBERED:
            self._told.clear()
        self._told[meta["uid"]] = news
