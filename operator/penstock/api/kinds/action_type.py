"""ActionType and ClusterActionType: custom actions (P-80).

The field names are those of CreateCustomActionType.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from penstock.api.fields import ProviderName, ProviderVersion
from penstock.api.kinds.action_template import ActionTemplate
from penstock.api.model import Model, list_map, rule, rules

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=2048)]
PropertyName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", min_length=1, max_length=50)
]


class ActionTypeSettings(Model):
    """Links that people see for this action type.

    ``{Config:PROPERTY}`` stands for the value of a property. ``{ExternalExecutionId}`` stands for
    the id that an action reports.
    """

    third_party_configuration_url: Url | None = None
    """Where people set the external system up; without effect here."""
    entity_url_template: Url | None = None
    """The page about what an action works on: its try shows it as entityUrl."""
    execution_url_template: Url | None = None
    """The page about one execution, shown on the try as externalExecutionUrl.

    If the action names a page itself, that page is shown instead.
    """
    revision_url_template: Url | None = None
    """The page about the revision that a source action pins."""


class ConfigurationProperty(Model):
    """A key of an action's configuration."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!has(self.queryable) || !self.queryable || (has(self.required) && self.required "
                "&& !(has(self.secret) && self.secret))",
                "a queryable property is required, and not secret (P-80)",
            ),
            rule(
                "!has(self.secret) || !self.secret || !has(self.type) || self.type == 'String'",
                "a secret property names a Secret: its type is String",
            ),
        )
    }

    name: PropertyName
    required: bool | None = None
    key: bool | None = None
    """Without effect here: nothing is looked up by it."""
    secret: bool | None = None
    """If true, the value names a Secret in the Pipeline's namespace.

    The action finds the keys of the Secret as files.
    """
    queryable: bool | None = None
    """Without effect here: there are no workers that poll for jobs."""
    type: Literal["String", "Number", "Boolean"] | None = None
    description: Annotated[str, StringConstraints(max_length=160)] | None = None


class ArtifactDetails(Model):
    """How many artifacts an action has."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "self.minimumCount <= self.maximumCount",
                "minimumCount is at most maximumCount (P-80)",
            )
        )
    }

    minimum_count: Annotated[int, Field(ge=0, le=5)]
    maximum_count: Annotated[int, Field(ge=0, le=5)]


class ActionTypeSpec(Model):
    """A kind of action that a namespace, or the whole cluster, adds to the built-in ones."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!has(self.configurationProperties) || self.configurationProperties.filter(p, "
                "has(p.queryable) && p.queryable).size() <= 1",
                "at most one property is queryable (P-80)",
                field_path=".configurationProperties",
            )
        )
    }

    category: Literal["Source", "Build", "Deploy", "Test", "Invoke", "Compute"]
    provider: ProviderName
    version: ProviderVersion = "1"
    settings: ActionTypeSettings | None = None
    configuration_properties: Annotated[
        tuple[ConfigurationProperty, ...], Field(max_length=10, json_schema_extra=list_map("name"))
    ] = ()
    input_artifact_details: ArtifactDetails
    output_artifact_details: ArtifactDetails
    job_timeout: Annotated[int, Field(ge=60, le=43_200)] | None = None
    """How long an action may run, in seconds; 24 hours if absent (T-09).

    The action's timeoutInMinutes takes precedence.
    """
    on_lost_pod: Literal["rerun", "fail"] = "fail"
    """What follows when a pod is lost without a result: another try, or the action's failure."""
    template: ActionTemplate


class FrozenActionType(Model):
    """The ActionType of an attempt, as it was when the attempt started."""

    kind: Literal["ActionType", "ClusterActionType"]
    name: str
    uid: str
    generation: int
    revision: str
    """The ControllerRevision that holds its spec."""
