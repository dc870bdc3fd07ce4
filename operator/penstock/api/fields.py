"""Types of fields that several objects have (N rows)."""

from typing import Annotated

from pydantic import StringConstraints

from penstock.api.model import Model

CodePipelineName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9.@_-]+$", min_length=1, max_length=100)
]
ProviderName = Annotated[
    str, StringConstraints(pattern=r"^[0-9A-Za-z_-]+$", min_length=1, max_length=35)
]
ProviderVersion = Annotated[
    str, StringConstraints(pattern=r"^[0-9A-Za-z_-]+$", min_length=1, max_length=9)
]
ArtifactName = Annotated[
    str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]+$", min_length=1, max_length=100)
]
VariableName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9@_-]+$", min_length=1, max_length=128)
]
NamespaceName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9@_-]+$", min_length=1, max_length=100)
]
EnvironmentName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$", min_length=1, max_length=128)
]
RoleArn = Annotated[
    str,
    StringConstraints(
        pattern=r"^arn:aws(-[A-Za-z0-9_]+)*:iam::[0-9]{12}:role/.*$", max_length=1024
    ),
]
DnsName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", min_length=1, max_length=253),
]


class InputArtifact(Model):
    """An artifact that an action reads, by the name under which an earlier action made it."""

    name: ArtifactName
