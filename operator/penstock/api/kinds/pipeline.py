"""The Pipeline object and its status.

The spec is CodePipeline's declaration with its own field names (S-02..S-04).
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from penstock.api.fields import (
    ArtifactName,
    CodePipelineName,
    DnsName,
    EnvironmentName,
    InputArtifact,
    NamespaceName,
    ProviderName,
    ProviderVersion,
    RoleArn,
    VariableName,
)
from penstock.api.kinds.stage_conditions import FailureConditions, StageConditions
from penstock.api.kinds.triggers import Trigger
from penstock.api.model import ATOMIC, Model, list_map, rule, rules

Category = Literal["Source", "Build", "Deploy", "Test", "Invoke", "Approval", "Compute"]


class ExecutionMode(StrEnum):
    """How the executions of a pipeline meet each other (S-07)."""

    SUPERSEDED = "SUPERSEDED"
    QUEUED = "QUEUED"
    PARALLEL = "PARALLEL"


class OnUpdate(StrEnum):
    """What an edit of the Pipeline does to runs under way.

    It ends them as AWS does (X-40), or it lets them finish.
    """

    CANCEL = "Cancel"
    FINISH = "Finish"


class ActionTypeId(Model):
    """The provider of an action (S-05). Owner and version may be left out here, unlike on AWS."""

    category: Category
    owner: Literal["AWS", "ThirdParty", "Custom"] | None = None
    provider: ProviderName
    version: ProviderVersion | None = None


class OutputArtifact(Model):
    """An artifact that an action makes; ``files`` (Commands only, N-10) says of what."""

    name: ArtifactName
    files: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=128)], ...],
        Field(max_length=10, json_schema_extra=ATOMIC),
    ] = ()


class EnvironmentVariable(Model):
    """A variable in the environment of a Commands action (N-12)."""

    name: EnvironmentName
    value: Annotated[str, StringConstraints(max_length=2000)]
    type: Literal["PLAINTEXT", "SECRETS_MANAGER"] | None = None


class Action(Model):
    """One action of a stage (S-04)."""

    name: CodePipelineName
    action_type_id: ActionTypeId
    run_order: Annotated[int, Field(ge=1, le=999)] | None = None
    """The order of actions within the stage; 1 if absent (X-23).

    Groups of equal runOrder run in ascending order. The actions of a group run in parallel.
    """
    configuration: Annotated[
        dict[str, Annotated[str, StringConstraints(max_length=50_000)]], Field(max_length=50)
    ] = {}
    """The provider's keys (P rows). AWS's own error allows 50,000 characters for a value."""
    commands: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=1000)], ...],
        Field(max_length=50, json_schema_extra=ATOMIC),
    ] = ()
    input_artifacts: Annotated[
        tuple[InputArtifact, ...], Field(max_length=10, json_schema_extra=list_map("name"))
    ] = ()
    output_artifacts: Annotated[
        tuple[OutputArtifact, ...], Field(max_length=10, json_schema_extra=list_map("name"))
    ] = ()
    output_variables: Annotated[
        tuple[
            Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)],
            ...,
        ],
        Field(max_length=15, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = ()
    environment_variables: Annotated[
        tuple[EnvironmentVariable, ...], Field(max_length=10, json_schema_extra=list_map("name"))
    ] = ()
    role_arn: RoleArn | None = None
    region: Annotated[str, StringConstraints(min_length=4, max_length=30)] | None = None
    namespace: NamespaceName | None = None
    """The namespace of this action's variables, for later actions: ``#{Source.CommitId}``.

    In this example it is Source.
    """
    timeout_in_minutes: Annotated[int, Field(ge=5, le=86400)] | None = None

    @property
    def order(self) -> int:
        """The action's runOrder, with its default (N-07)."""
        return self.run_order or 1


class Blocker(Model):
    """Reserved by AWS and used by nobody (S-03); refused here."""

    name: CodePipelineName
    type: Literal["Schedule"]


class Stage(Model):
    """One stage (S-03). Stages run one after the other, each locked by one run at a time."""

    name: CodePipelineName
    actions: Annotated[
        tuple[Action, ...], Field(min_length=1, max_length=100, json_schema_extra=list_map("name"))
    ]
    before_entry: StageConditions | None = None
    on_success: StageConditions | None = None
    on_failure: FailureConditions | None = None
    blockers: Annotated[tuple[Blocker, ...], Field(max_length=10, json_schema_extra=ATOMIC)] = ()


class EncryptionKey(Model):
    """A KMS key for the artifacts of a store."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=400)]
    type: Literal["KMS"]


class StoreCredentials(Model):
    """The Secret, in the Pipeline's namespace, with the keys accessKeyId and secretAccessKey."""

    secret_name: DnsName


class ArtifactStore(Model):
    """The place of the artifacts (N-21): S3 or a Volume.

    It has AWS's fields plus endpoint, region and credentials.

    The location of a Volume is a PersistentVolumeClaim of the Pipeline's
    namespace; all that use it see all of it.
    """

    type: Literal["S3", "Volume"] = "S3"
    location: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$", min_length=3, max_length=63),
    ]
    encryption_key: EncryptionKey | None = None
    endpoint: (
        Annotated[str, StringConstraints(pattern=r"^https?://[^/?#@]+/?$", max_length=512)] | None
    ) = None
    region: Annotated[str, StringConstraints(min_length=4, max_length=30)] | None = None
    credentials: StoreCredentials | None = None
    """Absent: the identity of the pod, as its service account gives it."""


class VariableDeclaration(Model):
    """A pipeline-level variable (N-13). Without a default, every start must give a value (X-50)."""

    name: VariableName
    default_value: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
    description: Annotated[str, StringConstraints(max_length=200)] | None = None


class DisabledTransition(Model):
    """A stage that no run enters (X-71). Runs wait in front of it.

    CloudFormation declares it in the same way.
    """

    stage_name: CodePipelineName
    reason: Annotated[str, StringConstraints(min_length=1, max_length=300)]


_SOURCE_FIRST = rule(
    "self.stages.filter(s, s.actions.exists(a, a.actionTypeId.category == 'Source')).all(s, s.name "
    "== self.stages[0].name)",
    "Source actions may stand in the first stage only (V-03)",
    field_path=".stages",
)
_ONE_STORE = rule(
    "!(has(self.artifactStore) && has(self.artifactStores))",
    "artifactStore and artifactStores exclude each other (V-12)",
    field_path=".artifactStore",
)
_V1 = rule(
    "!has(self.pipelineType) || self.pipelineType != 'V1' || (!has(self.variables) && "
    "!has(self.triggers) && (!has(self.executionMode) || self.executionMode == 'SUPERSEDED') && "
    "self.stages.all(s, !has(s.beforeEntry) && !has(s.onSuccess) && !has(s.onFailure) && "
    "s.actions.all(a, !has(a.commands))))",
    "pipelineType V1 excludes variables, triggers, conditions, commands and other modes than "
    "SUPERSEDED (V-23)",
    field_path=".pipelineType",
)
_APPROVAL = rule(
    "!self.stages[0].actions.exists(a, a.actionTypeId.category == 'Source') || "
    "!self.stages[0].actions.exists(a, a.actionTypeId.category == 'Approval')",
    "an Approval may not stand in the source stage (V-14)",
    field_path=".stages",
)


class PipelineSpec(Model):
    """The declaration of a pipeline (S-02), in the words of a ``get-pipeline`` document."""

    model_config = {"json_schema_extra": rules(_SOURCE_FIRST, _ONE_STORE, _V1, _APPROVAL)}

    name: CodePipelineName | None = None
    """The CodePipeline name, where Kubernetes does not allow it as metadata.name."""
    version: int | None = None
    role_arn: RoleArn | None = None
    execution_mode: ExecutionMode | None = None
    pipeline_type: Literal["V1", "V2"] | None = None
    artifact_store: ArtifactStore | None = None
    artifact_stores: Annotated[dict[str, ArtifactStore], Field(max_length=50)] | None = None
    """Stores by region: one region means the same as artifactStore, several are refused (V-12)."""
    service_account_name: DnsName | None = None
    variables: Annotated[
        tuple[VariableDeclaration, ...], Field(max_length=50, json_schema_extra=list_map("name"))
    ] = ()
    triggers: Annotated[tuple[Trigger, ...], Field(max_length=50, json_schema_extra=ATOMIC)] = ()
    stages: Annotated[
        tuple[Stage, ...], Field(min_length=1, max_length=50, json_schema_extra=list_map("name"))
    ]
    disable_inbound_stage_transitions: Annotated[
        tuple[DisabledTransition, ...],
        Field(max_length=50, json_schema_extra=list_map("stageName")),
    ] = ()
    """The declared floor: what stands here is disabled, whatever is enabled elsewhere."""
    successful_runs_history_limit: Annotated[int, Field(ge=0, le=10_000)] | None = None
    failed_runs_history_limit: Annotated[int, Field(ge=0, le=10_000)] | None = None
    start_on_create: bool | None = None
    """Whether creating the Pipeline starts its first run (X-21): true if absent, as on AWS."""
    on_update: OnUpdate | None = None
    """What an edit does to runs under way; Cancel if absent, as on AWS (X-40).

    It applies to the modes SUPERSEDED and QUEUED.
    """
    restart_execution_on_update: bool | None = None
    """Whether an edit starts a run; false if absent (X-21).

    It is CloudFormation's RestartExecutionOnUpdate.
    """
    max_concurrent_executions: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How many PARALLEL runs may be under way (Q-05): 50 if absent. Further runs wait."""

    @property
    def store(self) -> ArtifactStore | None:
        """The pipeline's own store: artifactStore, or artifactStores of one region (V-12)."""
        only = tuple((self.artifact_stores or {}).values())
        return self.artifact_store or (only[0] if len(only) == 1 else None)

    @property
    def store_path(self) -> str:
        """The path of the field that says the store."""
        region = next(iter(self.artifact_stores or {}), None)
        return (
            "spec.artifactStore"
            if self.artifact_store or region is None
            else f"spec.artifactStores.{region}"
        )

    @property
    def mode(self) -> ExecutionMode:
        """The execution mode, with its default (S-07)."""
        return self.execution_mode or ExecutionMode.SUPERSEDED
