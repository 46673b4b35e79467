"""What takes time to find and is not always asked for."""

from __future__ import annotations

from functools import cached_property
from typing import Callable, Iterator, Mapping, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Late(Mapping[K, V]):
    """A mapping that is found when it is first looked into."""

    def __init__(self, find: Callable[[], Mapping[K, V]]) -> None:
        self._find = find

    @cached_property
    def _found(self) -> Mapping[K, V]:
        return self._find()

    def __getitem__(self, key: K) -> V:
        return self._found[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)
