"""Reads lists in stack set configurations (P-40, P-41); pure, for declarations and executions."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from penstock.actions import bounded_json
from penstock.actions.cloudformation.overrides import plain
from penstock.actions.declaration import artifacts_in

FILE = re.compile(r"[^:=,\s\[{]+::[^:].*")
"""``Artifact::file``."""
_ACCOUNT = re.compile(r"[0-9]{12}")
_UNIT = re.compile(r"(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})")
_FIELD = re.compile(r"(?:^|[\s,])(ParameterKey|ParameterValue|UsePreviousValue|ResolvedValue)=")
_NAMES = ("ParameterKey", "ParameterValue", "UsePreviousValue", "ResolvedValue")


class Targets(NamedTuple):
    """Where a stack set's instances are: accounts or organizational units, each in every region."""

    accounts: tuple[str, ...]
    units: tuple[str, ...]
    regions: tuple[str, ...]

    @property
    def request(self) -> dict[str, Any]:
        """The targets as CloudFormation takes them."""
        places: dict[str, Any] = {"Regions": list(self.regions)}
        if self.units:
            return {**places, "DeploymentTargets": {"OrganizationalUnitIds": list(self.units)}}
        return {**places, "Accounts": list(self.accounts)}


def is_file(text: str) -> bool:
    """Whether a list stands in a file of an artifact, which the text names."""
    return FILE.fullmatch(text.strip()) is not None


def files_in(configuration: Mapping[str, str], *keys: str) -> list[tuple[str, str]]:
    """Return key and artifact of those keys whose lists stand in files."""
    return list(
        artifacts_in({key: text for key, text in configuration.items() if is_file(text)}, *keys)
    )


def as_json(text: str) -> str | None:
    """Return a list of parameters as JSON, whatever its form; None for the name of a file.

    So that variables are resolved within values, and none can add a parameter.
    """
    if is_file(text):
        return None
    if text.lstrip().startswith(("[", "{")) or not _FIELD.search(text):
        return text
    found: list[dict[str, str]] = []
    matches = list(_FIELD.finditer(text))
    for match, following in zip(matches, [*matches[1:], None], strict=True):
        value = (
            text[match.end() : following.start() if following else len(text)]
            .strip()
            .strip(",")
            .strip('"')
        )
        # In this spelling each parameter begins with its key.
        if match[1] == "ParameterKey" or not found:
            found.append({})
        found[-1][match[1]] = value
    return json.dumps(found)


def read_parameters(text: str) -> list[dict[str, Any]]:
    """Return parameters as CloudFormation takes them; raise ValueError for anything else."""
    try:
        items = bounded_json.loads(as_json(text) or "")
    except ValueError as error:
        raise ValueError(
            "a list is wanted: ParameterKey=NAME,ParameterValue=VALUE, separated by spaces, or "
            "JSON, or Artifact::file"
        ) from error
    return [_parameter(item) for item in (items if isinstance(items, list) else [items])]


def _parameter(item: Any) -> dict[str, Any]:
    name = item.get("ParameterKey") if isinstance(item, dict) else None
    if not isinstance(name, str) or not name or any(key not in _NAMES for key in item):
        raise ValueError("a parameter has ParameterKey, and ParameterValue or UsePreviousValue")
    if str(item.get("UsePreviousValue", "")).lower() == "true":
        return {"ParameterKey": name, "UsePreviousValue": True}
    value = plain(item.get("ParameterValue"))
    if value is None:
        raise ValueError(f"{name}: ParameterValue is not there, or no text")
    return {"ParameterKey": name, "ParameterValue": value}


def read_targets(items: list[str], regions: str) -> Targets:
    """Return accounts or organizational units with their regions.

    Raise ValueError for anything else, or for both.
    """
    accounts = tuple(item for item in items if _ACCOUNT.fullmatch(item))
    units = tuple(item for item in items if _UNIT.fullmatch(item))
    if len(accounts) + len(units) < len(items) or not items:
        raise ValueError(
            "ids of accounts (12 digits), or of organizational units or roots (ou-…, r-…), are "
            "wanted"
        )
    if accounts and units:
        raise ValueError("accounts and organizational units exclude each other")
    return Targets(accounts, units, tuple(listed(regions)))


def listed(text: str) -> list[str]:
    """Return the words of a list that is separated by commas."""
    return [word.strip() for word in text.split(",") if word.strip()]
