"""Looks whether the admission policy guards Approvals: without it their decisions prove nothing."""

from penstock.cluster.client import Client
from penstock.cluster.errors import NotFoundError
from penstock.cluster.resources import POLICIES, POLICY_BINDINGS


async def approval_policy_is_enforced(client: Client, policy: str) -> bool:
    """Return whether the ValidatingAdmissionPolicy and its binding exist and deny.

    The binding has the same name as the policy.

    An installation that names no policy has none.
    """
    if not policy:
        return False
    try:
        found = await client.get(POLICIES, None, policy)
        binding = await client.get(POLICY_BINDINGS, None, policy)
    except NotFoundError:
        return False
    # With any other failurePolicy a write goes through where the policy cannot be evaluated.
    is_strict = found["spec"].get("failurePolicy", "Fail") == "Fail"
    # The other actions, Warn and Audit, let the write through.
    is_bound = binding["spec"].get("policyName") == policy and "Deny" in binding["spec"].get(
        "validationActions", ()
    )
    return (
        is_strict
        and is_bound
        and not any("deletionTimestamp" in item["metadata"] for item in (found, binding))
    )
