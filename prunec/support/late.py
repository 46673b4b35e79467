"""What takes time to find: found when it is asked for, and once where the same is asked again."""

from __future__ import annotations

from functools import cached_property
from typing import Callable, Generic, Iterator, Mapping, Optional, TypeVar

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


class Last(Generic[K, V]):
    """A function of one object that keeps its last answer, for as long as it is asked for the same object."""

    def __init__(self, find: Callable[[K], V]) -> None:
        self._find = find
        self._last: Optional[tuple[K, V]] = None

    def __call__(self, asked: K) -> V:
        if self._last is None or self._last[0] is not asked:
            self._last = asked, self._find(asked)
        return self._last[1]
