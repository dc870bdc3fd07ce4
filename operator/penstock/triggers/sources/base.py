"""The common base of polled sources, and the reader of the Secrets that sources name."""

import base64
import binascii
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from penstock.actions.execution import CONFIGURATION_ERROR, PERMISSION_ERROR, ActionError
from penstock.api.kinds.triggers import GitConfiguration
from penstock.cluster.client import Client
from penstock.cluster.errors import ForbiddenError, NotFoundError
from penstock.cluster.resources import SECRETS
from penstock.triggers.observations import Observation

# Characters of an error in a Pipeline's status: the commands that let triggers read a Secret fit,
# with long names of Secret and namespace.
LONGEST_ERROR = 1_500


class Watch(NamedTuple):
    """A source action as it is looked at; ``name`` is none other's.

    ``trigger`` is the definition's for it (G-03), ``refs`` what its filters have seen last: None at
    the first look. At most ``most_refs`` are remembered. What is seen may be no older than
    ``not_before``, in the seconds of ``time.monotonic``.
    """

    configuration: Mapping[str, str]
    trigger: GitConfiguration | None = None
    refs: Mapping[str, str] | None = None
    most_refs: int = 0
    name: str = ""
    is_known: bool = False
    """Whether it was seen before."""
    not_before: float = 0.0

    @property
    def is_filtered(self) -> bool:
        """Whether filters say what starts a run; without any, the action's own branch does."""
        return bool(self.trigger and (self.trigger.push or self.trigger.pull_request))


class SourceProvider(Protocol):
    """Looks at the sources of one provider; ``trigger`` is what CodePipeline calls its changes."""

    trigger: str

    def identity(self, watch: Watch) -> str | None:
        """Return a hash of the source's place; None if it is not polled or never changes."""

    def repository(self, watch: Watch) -> str:
        """Return what the source is a part of: those of one repository are looked at together."""

    async def look(self, namespace: str, watch: Watch) -> Observation:
        """Return what the source is at now; every error is an observation, none goes further."""


def how_to_let_read(namespace: str, name: str, service_account: str) -> str:
    """Return the commands by which the owner of a namespace lets an account read a Secret of it."""
    kubectl, role = f"kubectl -n {namespace} create", f"penstock-{name}"
    account = service_account or "NAMESPACE:penstock-triggers"
    return (
        f"`{kubectl} role {role} --verb=get --resource=secrets --resource-name={name}` and "
        f"`{kubectl} rolebinding {role}-{account.partition(':')[2]} --role={role} "
        f"--serviceaccount={account}`"
    )


class SecretReader:
    """Reads the Secrets that sources name.

    Whoever owns a namespace lets triggers read a Secret of it, by a Role and a RoleBinding there.
    ``service_account`` is ours, as ``namespace:name``: messages tell how to let it.
    """

    def __init__(self, client: Client, service_account: str) -> None:
        self._client, self._account = client, service_account

    async def texts(
        self, namespace: str, name: str, *choices: tuple[str, ...], switch: str
    ) -> dict[str, str]:
        """Return a Secret's texts, by key, for the first of the choices of keys that it has.

        ``switch`` is the key of the configuration that turns polling off. Raise ActionError.
        """
        try:
            secret = await self._client.get(SECRETS, namespace, name)
        except ForbiddenError as error:
            how = how_to_let_read(namespace, name, self._account)
            raise ActionError(
                PERMISSION_ERROR,
                f"triggers may not read the Secret {name}; let them, by {how}, "
                f'or set {switch} to "false"',
            ) from error
        except NotFoundError as error:
            raise ActionError(CONFIGURATION_ERROR, f"there is no Secret {name}") from error
        data = secret.get("data") or {}
        keys = next((keys for keys in choices if all(key in data for key in keys)), None)
        if keys is None:
            wanted = ", or ".join(" and ".join(keys) for keys in choices)
            raise ActionError(CONFIGURATION_ERROR, f"the Secret {name} has no key {wanted}")
        try:
            return {key: base64.b64decode(data[key]).decode("utf-8").strip("\r\n") for key in keys}
        except (binascii.Error, UnicodeDecodeError):
            raise ActionError(CONFIGURATION_ERROR, f"the Secret {name} holds no text") from None
