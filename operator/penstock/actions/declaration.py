"""What a provider declares about itself: pure facts that the engine validates and plans with.

A provider is one folder: ``declaration.py`` holds its `Declaration` as
``DECLARATION``, ``execution.py`` does the work in the pod. `declarations`
finds the folders, so that nothing else names a provider.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from pydantic import BaseModel, ConfigDict

import penstock.actions
from penstock.api.kinds.action_type import ActionTypeSpec
from penstock.api.kinds.pipeline import ActionTypeId


class OnLostPod(StrEnum):
    """What follows when a pod is lost without a result: lost is not failed."""

    RERUN = "rerun"
    RESUME = "resume"
    """A new try follows the lost one's work by the same client token."""
    FAIL = "fail"


class Configuration(BaseModel):
    """The base of configurations: CodePipeline's keys, text values, unknown keys refused (V-10)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )


@dataclass(frozen=True, slots=True)
class ArtifactBounds:
    """How many artifacts an action may have (V-09)."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Override:
    """A revision that a run may pin in a source (X-51): its type, and what it replaces.

    It is the revision itself, or the configuration's ``key``; where ``needs``
    names a key, that must say "true".
    """

    revision_type: str
    key: str = ""
    needs: str = ""


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """What an action that has no pod asks of people, who may answer, and how many must agree."""

    text: str
    link: str
    users: tuple[str, ...]
    groups: tuple[str, ...]
    quorum: int
    is_starter_excluded: bool


@dataclass(frozen=True, slots=True)
class ProjectKeys:
    """The keys of the configuration of a provider whose actions run on a BuildProject (P-10)."""

    name: str
    """The key that names the BuildProject."""
    primary_input: str
    """The key for the input artifact whose folder the build runs in, if there are several."""
    environment: str
    """The key that holds environment variables of the action's own."""
    read_environment: Callable[[str], Mapping[str, str]]
    """Returns values by name from that key's text; raises ValueError that says what is wrong."""


@dataclass(frozen=True, slots=True)
class StageRule:
    """A rule of stage conditions that runs as the provider's action does (C-20)."""

    name: str
    """What ``ruleTypeId.provider`` says."""
    may_skip: bool = False
    """Whether a condition before a stage may skip the stage by it (C-06)."""
    is_error_awaited: bool = False
    """Whether the rule's failure meets an onFailure condition.

    A function that finds the fault fails (C-22).
    """


@dataclass(frozen=True, slots=True)
class Declaration:
    """All that the engine knows of one provider. A new provider changes nothing in the engine.

    The first three fields, with ``version``, are an ``actionTypeId``.
    """

    category: str
    owner: str
    provider: str
    folder: str
    """The folder in ``actions/`` whose ``execution.py`` does the work."""
    configuration: type[Configuration]
    """The keys of ``configuration``, their types and bounds; other keys are refused (V-10)."""
    inputs: ArtifactBounds
    """How many input artifacts an action has."""
    outputs: ArtifactBounds
    """How many output artifacts an action has."""
    on_lost_pod: OnLostPod
    """What follows a pod that is lost without a result."""
    timeout_s: float
    """After how many seconds an action ends that says no ``timeoutInMinutes``."""
    version: str = "1"
    also: tuple[str, ...] = ()
    """Further categories under which the provider may be named: CodeBuild is Build and Test."""
    runs_commands: bool = False
    """Whether an action has ``commands``, which run in the image that it names."""
    project: ProjectKeys | None = None
    """The ``configuration`` keys of the BuildProject whose image the action runs in, or None."""
    calls_aws: bool = False
    """Whether it calls AWS: then an action's ``roleArn`` and ``region`` have an effect."""
    rule: StageRule | None = None
    """The rule of stage conditions that is evaluated as an action of this provider."""
    is_action: bool = True
    """Whether actions may name it: a provider may be a rule alone."""
    connection: str = ""
    """The key of ``configuration`` that names a Connection, by an ARN or by its name."""
    secrets: tuple[str, ...] = ()
    """The keys of ``configuration`` whose values name a Secret, which the agent gets."""
    literals: tuple[str, ...] = ()
    """The keys whose values may hold no variable references."""
    without_effect: tuple[str, ...] = ()
    """The keys that are accepted with a warning and do nothing here."""
    idle_keys: Callable[[Mapping[str, str]], Iterable[str]] = lambda _: ()
    """Which keys mean nothing beside the others of a configuration: accepted with a warning."""
    json_keys: Mapping[str, Callable[[str], str | None]] = field(default_factory=dict, hash=False)
    """The keys whose values are JSON, so that variables are resolved within its texts.

    Each with how to get that JSON from a value, None for a value that is a plain text.
    """
    overrides: tuple[Override, ...] = ()
    """The revisions that a run may pin in a source (X-51)."""
    artifacts_named: Callable[[Mapping[str, str]], Iterable[tuple[str, str]]] = lambda _: ()
    """Which input artifacts a configuration names: pairs of its key and the artifact's name."""
    approval: Callable[[Mapping[str, str]], ApprovalRequest] | None = None
    """Gives the request to people in a resolved configuration.

    Such actions wait for an Approval and have no pod.
    """
    action_type: ActionTypeSpec | None = None
    """The ActionType behind this declaration, with its actions' pod; None if it is built in."""
    is_type_lost: bool = False
    """Whether a try was started with an ActionType that cannot be read any more."""

    @property
    def has_container(self) -> bool:
        """Whether the user's image runs beside the agent."""
        return (
            self.runs_commands
            or self.project is not None
            or self.action_type is not None
            or self.is_type_lost
        )

    def is_of(self, type_id: ActionTypeId) -> bool:
        """Whether an actionTypeId names this provider; owner and version may be left out."""
        return (
            type_id.category in (self.category, *self.also)
            and type_id.provider == self.provider
            and type_id.owner in (None, self.owner)
            and type_id.version in (None, self.version)
        )

    def secret_names(self, configuration: Mapping[str, str]) -> dict[str, str]:
        """Return configuration key to Secret name, for the Secrets that the agent needs."""
        return {key: configuration[key] for key in self.secrets if configuration.get(key)}


def artifacts_in(configuration: Mapping[str, str], *keys: str) -> Iterator[tuple[str, str]]:
    """Yield key and artifact of those keys that say ``Artifact::file``."""
    for key in keys:
        artifact, separator, _ = configuration.get(key, "").partition("::")
        if separator:
            yield key, artifact.strip()


@cache
def declarations() -> tuple[Declaration, ...]:
    """Return every built-in provider's declaration, in the order of their folders."""
    folders = sorted(
        info.name for info in pkgutil.iter_modules(penstock.actions.__path__) if info.ispkg
    )
    modules = (
        importlib.import_module(f"penstock.actions.{folder}.declaration") for folder in folders
    )
    return tuple(module.DECLARATION for module in modules if hasattr(module, "DECLARATION"))


def declaration_of(type_id: ActionTypeId) -> Declaration | None:
    """Return the built-in declaration of an actionTypeId; None for unknown and custom providers."""
    return next((declared for declared in declarations() if declared.is_of(type_id)), None)
