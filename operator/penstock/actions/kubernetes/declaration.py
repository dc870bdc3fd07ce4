"""Deploy / ThirdParty / Kubernetes: manifests from an artifact, applied to a target namespace.

The keys are those of AWS's EKS action (P-45) where it has them.
"""

from typing import Literal

from pydantic import Field

from penstock.actions.declaration import ArtifactBounds, Configuration, Declaration, OnLostPod

_KIND = "(Namespace|CustomResourceDefinition|PersistentVolumeClaim)"
_KINDS = rf"^{_KIND}( *, *{_KIND})*$"


class KubernetesConfiguration(Configuration):
    """What to apply, and where."""

    Namespace: str | None = Field(None, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)
    """The target namespace; the Pipeline's own if absent."""
    ManifestFiles: str | None = Field(None, min_length=1, max_length=1000)
    """Files, folders or globs in the input artifact, comma-separated; every manifest if absent."""
    Substitutions: str | None = Field(None, min_length=1, max_length=1000)
    """A file of names and values for ``${NAME}`` in manifests.

    ``Artifact::file`` names a file of another input artifact.
    """
    ImageDefinitions: str | None = Field(None, min_length=1, max_length=1000)
    """A file like CodePipeline's imagedefinitions.json (P-44): images by container name."""
    ForceConflicts: Literal["true", "false"] | None = None
    """Whether to take over fields that another manager owns; false if absent."""
    ApplySet: str | None = Field(None, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)
    """The Secret and Lease that remember what was applied; named after the action if absent.

    They stand in the target namespace.
    """
    Prune: Literal["true", "false"] | None = None
    """Whether to delete objects of an earlier deploy that no manifest names now; true if absent."""
    PruneKinds: str | None = Field(None, pattern=_KINDS)
    """Kinds that are kept unless they are named here, separated by commas."""
    RollbackOnFailure: Literal["true", "false"] | None = None
    """Whether to restore the last success after a failure past the first write; false if absent."""
    DryRun: Literal["true", "false"] | None = None
    """Whether only to tell what would change; false if absent."""
    TimeoutInMinutes: str | None = Field(None, pattern=r"^[1-9][0-9]{0,3}$")
    """How long to wait until every object is ready."""


DECLARATION = Declaration(
    category="Deploy",
    owner="ThirdParty",
    provider="Kubernetes",
    folder="kubernetes",
    configuration=KubernetesConfiguration,
    inputs=ArtifactBounds(1, 5),
    outputs=ArtifactBounds(0, 0),
    on_lost_pod=OnLostPod.FAIL,
    timeout_s=3600,
)
