"""The common base of polled sources, and the reader of the Secrets that sources name."""

import base64
import binascii
from collections.abc import Mapping
from typing import Protocol

from penstock.actions.execution import CONFIGURATION_ERROR, PERMISSION_ERROR, ActionError
from penstock.cluster.client import Client
from penstock.cluster.errors import ForbiddenError, NotFoundError
from penstock.cluster.resources import SECRETS
from penstock.triggers.decide import Observation

# Characters of an error in a Pipeline's status.
LONGEST_ERROR = 500


class SourceProvider(Protocol):
    """Looks at the sources of one provider."""

    @staticmethod
    def identity(configuration: Mapping[str, str]) -> str | None:
        """Return a hash of the source's place; None if it is not polled or never changes."""

    async def look(self, namespace: str, configuration: Mapping[str, str]) -> Observation:
        """Return what the source is at now; every error is an observation, none goes further."""


async def secret_texts(
    client: Client, namespace: str, name: str, keys: tuple[str, str]
) -> tuple[str, str]:
    """Return two texts of a Secret the chart lets triggers read; raise ActionError for others."""
    try:
        secret = await client.get(SECRETS, namespace, name)
    except ForbiddenError as error:
        raise ActionError(
            PERMISSION_ERROR,
            f"triggers may not read the Secret {name}; allow it in the chart's "
            f"triggers.credentials, "
            'or set PollForSourceChanges to "false"',
        ) from error
    except NotFoundError as error:
        raise ActionError(CONFIGURATION_ERROR, f"there is no Secret {name}") from error
    data = secret.get("data") or {}
    for key in keys:
        if key not in data:
            raise ActionError(CONFIGURATION_ERROR, f"the Secret {name} has no key {key}")
    try:
        first, second = (base64.b64decode(data[key]).decode("utf-8").strip("\r\n") for key in keys)
    except (binascii.Error, UnicodeDecodeError):
        raise ActionError(CONFIGURATION_ERROR, f"the Secret {name} holds no text") from None
    return first, second
