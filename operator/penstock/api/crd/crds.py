"""The CustomResourceDefinitions, generated from the models.

The models alone define what users may write.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from penstock.api.crd.schema import Schema, structural_schema
from penstock.api.kinds.action_type import ActionTypeSpec
from penstock.api.kinds.approval import ApprovalSpec, ApprovalStatus
from penstock.api.kinds.build_project import BuildProjectSpec, BuildProjectStatus
from penstock.api.kinds.connection import ConnectionSpec, ConnectionStatus
from penstock.api.kinds.pipeline import PipelineSpec
from penstock.api.kinds.run import PipelineRunSpec, PipelineRunStatus
from penstock.api.kinds.transition import StageTransitionSpec
from penstock.api.meta import ACTION_TYPE, CLUSTER_ACTION_TYPE, GROUP, VERSION
from penstock.api.status.pipeline_status import PipelineStatus


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column of ``kubectl get``; priority 1 shows with ``-o wide`` only."""

    name: str
    type: str
    path: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class CustomResource:
    """One kind: names, models, printer columns, and a status unless nobody writes one."""

    kind: str
    plural: str
    short: str
    description: str
    spec: type[BaseModel]
    status: type[BaseModel] | None
    columns: tuple[Column, ...]
    scope: str = "Namespaced"


def _condition(kind: str, field: str) -> str:
    return f".status.conditions[?(@.type=='{kind}')].{field}"


_TYPE_COLUMNS = (
    Column("Category", "string", ".spec.category"),
    Column("Provider", "string", ".spec.provider"),
    Column("Version", "string", ".spec.version"),
    Column("Image", "string", ".spec.template.image", 1),
    Column("Age", "date", ".metadata.creationTimestamp"),
)

RESOURCES = (
    CustomResource(
        "Pipeline", "pipelines", "pl",
        "A CodePipeline pipeline: stages of actions that every PipelineRun of it executes.",
        PipelineSpec, PipelineStatus,
        (
            Column("Ready", "string", _condition("Ready", "status")),
            Column("Version", "integer", ".status.version"),
            Column("Last run", "string", ".status.lastRun"),
            Column("Succeeded", "string", _condition("LastRunSucceeded", "status")),
            Column("Sources seen", "string", _condition("SourcesSeen", "status"), 1),
            Column("Message", "string", _condition("Ready", "message"), 1),
            Column("Age", "date", ".metadata.creationTimestamp"),
        ),
    ),
    CustomResource(
        "PipelineRun", "pipelineruns", "plr",
        "One execution of a Pipeline; its uid is the pipelineExecutionId.",
        PipelineRunSpec, PipelineRunStatus,
        (
            Column("Pipeline", "string", ".spec.pipelineRef.name"),
            # The first of the two that is there.
            Column("State", "string", ".status['state','beforeStart']"),
            Column("Reason", "string", _condition("Succeeded", "reason")),
            Column("Summary", "string", ".status.statusSummary"),
            Column("Started", "date", ".status.startTime"),
            Column("Completed", "date", ".status.completionTime", 1),
        ),
    ),
    CustomResource(
        "BuildProject", "buildprojects", "bp",
        "The container and the environment of CodeBuild actions.",
        BuildProjectSpec, BuildProjectStatus,
        (
            Column("Image", "string", ".spec.image"),
            Column("Compute", "string", ".spec.computeType"),
            Column("Age", "date", ".metadata.creationTimestamp"),
        ),
    ),
    CustomResource(
        "Connection", "connections", "conn",
        "A Git host, and the credential for it, which goes to that host alone.",
        ConnectionSpec, ConnectionStatus,
        (
            Column("Provider", "string", ".spec.providerType"),
            Column("Ready", "string", _condition("Ready", "status")),
            Column("Checked", "date", ".status.lastCheckedTime"),
            Column("Endpoint", "string", ".spec.endpoint"),
            Column("Secret", "string", ".spec.credentialsSecret"),
            Column("Message", "string", _condition("Ready", "message"), 1),
            Column("Arn", "string", ".spec.arn", 1),
            Column("Age", "date", ".metadata.creationTimestamp"),
        ),
    ),
    CustomResource(
        ACTION_TYPE, "actiontypes", "at",
        "A custom action of its namespace: what pipelines may configure, and the pod that does the "
        "work.",
        ActionTypeSpec, None, _TYPE_COLUMNS,
    ),
    CustomResource(
        CLUSTER_ACTION_TYPE, "clusteractiontypes", "cat",
        "A custom action of every namespace that has no ActionType of the same category, provider "
        "and version.",
        ActionTypeSpec, None, _TYPE_COLUMNS, scope="Cluster",
    ),
    CustomResource(
        "StageTransition", "stagetransitions", "stt",
        "A switch in front of a stage of a Pipeline: while it is disabled, runs wait there.",
        StageTransitionSpec, None,
        (
            Column("Pipeline", "string", ".spec.pipelineName"),
            Column("Stage", "string", ".spec.stageName"),
            Column("Type", "string", ".spec.transitionType"),
            Column("Enabled", "boolean", ".spec.enabled"),
            Column("Reason", "string", ".spec.reason"),
            Column("By", "string", ".spec.requestedBy"),
            Column("Age", "date", ".metadata.creationTimestamp"),
        ),
    ),
    CustomResource(
        "Approval", "approvals", "appr",
        "A manual approval that waits for people: they add to spec.decisions, the operator writes "
        "all else.",
        ApprovalSpec, ApprovalStatus,
        (
            Column("Pipeline", "string", ".spec.pipelineName"),
            Column("Run", "string", ".spec.run"),
            Column("Stage", "string", ".spec.stageName"),
            Column("Action", "string", ".spec.actionName"),
            Column("State", "string", ".status.state"),
            Column("Approvals", "string", ".status.approvals"),
            Column("Expires", "string", ".spec.expirationTime"),
            Column("Summary", "string", ".status.summary"),
            Column("About", "string", ".spec.customData", 1),
            Column("Link", "string", ".spec.externalEntityLink", 1),
            Column("Age", "date", ".metadata.creationTimestamp", 1),
        ),
    ),
)  # fmt: skip


def crd_of(resource: CustomResource) -> dict[str, Any]:
    """Return the CustomResourceDefinition of one kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": resource.scope,
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "shortNames": [resource.short],
                # By the second one `kubectl get all` shows them, too.
                "categories": ["penstock", "all"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _root(resource)},
                    "subresources": {"status": {}} if resource.status else {},
                    "additionalPrinterColumns": [_column(column) for column in resource.columns],
                }
            ],
        },
    }


def _root(resource: CustomResource) -> Schema:
    written: Schema = {}
    if resource.status:
        # Nothing counts as Current before the operator saw it: kstatus compares this with the
        # generation.
        written["status"] = structural_schema(resource.status) | {
            "default": {"observedGeneration": -1}
        }
    return {
        "type": "object",
        "description": resource.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural_schema(resource.spec),
            **written,
        },
    }


def _column(column: Column) -> dict[str, Any]:
    shown = {"name": column.name, "type": column.type, "jsonPath": column.path}
    return {**shown, "priority": column.priority} if column.priority else shown
