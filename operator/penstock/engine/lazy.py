"""Values computed once per object, without a lock."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class lazy(Generic[T]):  # noqa: N801 — read as property is
    """As functools.cached_property, whose lock in Python 3.11 is one for all objects of a class.

    A pass that judges a large definition in a thread would hold it, and the event loop wait. Two
    threads may compute a value twice; both get the same.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "lazy[T]": ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> "T | lazy[T]":
        if instance is None:
            return self
        value = self._compute(instance)
        # Found there from now on: an attribute of the object comes before this one of its class.
        instance.__dict__[self._name] = value
        return value
