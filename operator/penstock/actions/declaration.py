"""What a provider declares about itself: pure facts that the engine validates and plans with.

A provider is one folder: ``declaration.py`` holds its `Declaration` as ``DECLARATION``, ``execution.py``
does the work in the pod. `declarations` finds the folders, so that nothing else names a provider.
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
    """A new try follows what the lost one began: it asks with the same client token (design.md section 4)."""
    FAIL = "fail"


class Configuration(BaseModel):
    """The base of a provider's configuration: CodePipeline's keys, text values, unknown keys refused (V-10)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class ArtifactBounds:
    """How many artifacts an action may have (V-09)."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Override:
    """A revision that a run may pin in a source (X-51): its type, and what it replaces.

    It is the revision itself, or the configuration's ``key``; where ``needs`` names a key, that must say "true".
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
class Declaration:
    """One provider. ``secrets`` are the configuration keys whose values name a Secret to mount.

    ``literals`` are those whose values may hold no variables. Where it ``calls_aws`` an action's roleArn and region
    count. With a ``approval`` its actions have no pod: they wait for people, who are asked what the question says of
    a resolved configuration.
    """

    category: str
    owner: str
    provider: str
    folder: str
    configuration: type[Configuration]
    inputs: ArtifactBounds
    outputs: ArtifactBounds
    on_lost_pod: OnLostPod
    timeout_s: float
    version: str = "1"
    runs_commands: bool = False
    also: tuple[str, ...] = ()
    """Further categories of the same provider."""
    runs_project: bool = False
    calls_aws: bool = False
    is_rule: bool = False
    """Whether it is a rule of stage conditions, and no action."""
    secrets: tuple[str, ...] = ()
    without_effect: tuple[str, ...] = ()
    idle_keys: Callable[[Mapping[str, str]], Iterable[str]] = lambda _: ()
    """Which keys mean nothing beside the others of a configuration: accepted with a warning."""
    literals: tuple[str, ...] = ()
    json_keys: Mapping[str, Callable[[str], str | None]] = field(default_factory=dict, hash=False)
    """Keys whose values are JSON, where variables are resolved within its texts: how to get that JSON from a value,

    which is None for a value that is a plain text.
    """
    overrides: tuple[Override, ...] = ()
    artifacts_named: Callable[[Mapping[str, str]], Iterable[tuple[str, str]]] = lambda _: ()
    """Which input artifacts a configuration names: pairs of its key and the artifact's name."""
    approval: Callable[[Mapping[str, str]], ApprovalRequest] | None = None
    action_type: ActionTypeSpec | None = None
    """What an ActionType says of the pod; its actions have a container of their own."""
    is_type_lost: bool = False
    """Whether the ActionType of a try can be read no more."""

    @property
    def has_container(self) -> bool:
        """Whether the user's image runs beside the agent."""
        return self.runs_commands or self.runs_project or self.action_type is not None or self.is_type_lost

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
    folders = sorted(info.name for info in pkgutil.iter_modules(penstock.actions.__path__) if info.ispkg)
    modules = (importlib.import_module(f"penstock.actions.{folder}.declaration") for folder in folders)
    return tuple(module.DECLARATION for module in modules if hasattr(module, "DECLARATION"))


def declaration_of(type_id: ActionTypeId) -> Declaration | None:
    """Return the built-in declaration that an actionTypeId names, None for an unknown provider and for a custom one."""
    return next((declared for declared in declarations() if declared.is_of(type_id)), None)
