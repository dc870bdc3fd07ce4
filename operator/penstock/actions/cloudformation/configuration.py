"""What the providers that take a template have in common in their configurations; pure."""

from pydantic import Field

from penstock.actions.aws_configuration import AwsConfiguration

FILE = r"^[^:]+::[^:].*$"
"""``Artifact::file``."""
_CAPABILITY = "CAPABILITY_(IAM|NAMED_IAM|AUTO_EXPAND)"
CAPABILITIES = rf"^{_CAPABILITY}(,{_CAPABILITY})*$"
ROLE = r"^arn:[a-z-]+:iam::[0-9]{12}:role/.+$"


class PackagingConfiguration(AwsConfiguration):
    """Where a template's local code goes."""

    PackageBucket: str | None = Field(
        None, pattern=r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$", min_length=3, max_length=63
    )
    """Also for template parts too long for a request; the template's readers need access to it.

    The artifact store's bucket if absent, where that is in the same AWS.
    """
