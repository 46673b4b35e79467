"""What is found late, and once."""

from __future__ import annotations

from prunec.support.late import Last, Late


def test_a_late_mapping_is_found_once_when_it_is_looked_into() -> None:
    found: list[int] = []

    def find() -> dict[str, int]:
        found.append(1)
        return {"a": 1}

    late = Late(find)
    assert not found
    assert dict(late) == {"a": 1} and late.get("b") is None and len(late) == 1
    assert found == [1]


def test_the_last_answer_is_kept_for_the_same_object() -> None:
    asked: list[list[int]] = []

    def find(own: list[int]) -> int:
        asked.append(own)
        return len(asked)

    last = Last(find)
    one, other = [0], [0]  # equal, and not the same
    assert [last(one), last(one), last(other), last(one)] == [1, 1, 2, 3]
    assert len(asked) == 3
