"""The base of all models, and the marks by which a model says what its CRD schema must say."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """A frozen value with camelCase keys.

    Unknown keys are ignored: the API server has already pruned or reported them.
    """

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values with camelCase keys, without unset, null and empty fields."""
        document: dict[str, Any] = _compact(
            self.model_dump(mode="json", by_alias=True, exclude_none=True)
        )
        return document


def _compact(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _compact(item)
            for key, item in value.items()
            if item is not None and item not in ([], {})
        }
    if isinstance(value, list):
        return [_compact(item) for item in value]
    return value


def rule(expression: str, message: str, *, field_path: str | None = None) -> dict[str, str]:
    """Return one CEL validation of a CRD schema. ``field_path`` is relative, as ``.stages`` is."""
    return {"rule": expression, "message": message} | (
        {"fieldPath": field_path} if field_path else {}
    )


def rules(*validations: dict[str, str]) -> dict[str, Any]:
    """Return the schema extension that holds CEL validations."""
    return {"x-kubernetes-validations": list(validations)}


def list_map(*keys: str) -> dict[str, Any]:
    """Return the schema extension for a list whose items are unique by keys and merge by them."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}


def appended(what: str) -> dict[str, Any]:
    """Return the schema extension for a list of at most 50 requests that only grows.

    ``what`` is the name of the requests.
    """
    # CEL has no slices: each place is compared, as far as the old list goes.
    grows = (
        f"size(self) >= size(oldSelf) && {list(range(50))}.all(i, i >= size(oldSelf) || self[i] == "
        f"oldSelf[i])"
    )
    return ATOMIC | rules(
        rule(grows, f"{what} are added at the end; those that stand there cannot be changed")
    )
