"""What proofs came to, for ``docs/coverage.md``: counted, and where nothing is proved why, in groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Optional

from prunec.verifying.verdict import Evidence

#: What comes of a network that loses channels; *failed* are processes that ended with an error.
OUTCOMES = ("proved", "not proved", "differs", "refused", "failed", "not run")
NOTHING_GOES = "nothing goes"
#: The most names that are listed.
_MOST = 4
#: Reasons name a value, an operator or a shape.  What holds the first words of a pair is of the kind that the
#: second ones name; anything else is a kind of its own.
_KINDS = (
    ("nothing that depends on the inputs takes it", "nothing that depends on the inputs takes a parameter"),
    ("a wrong slice would hardly show", "a wrong slice would hardly show in what is compared"),
    ("does not read it for these inputs", "a parameter is not read for these inputs"),
    ("it does not depend on the inputs", "a value does not depend on the inputs"),
    ("all its values are ", "a value is the same everywhere, or one of two"),
    ("it holds no ", "a value holds no finite number"),
    ("rounding alone changes it too much", "rounding alone changes a value too much"),
    ("MXNet cannot load it", "the framework cannot load it"),
    ("MXNet: ", "the framework stops with an error"),
    ("is of shape ", "the parameter file is of other shapes than the network"),
    ("does not follow from the inputs", "shapes of parameters do not follow from the inputs"),
    ("longer than ", "it takes too long"),
    ("exit status ", "it takes more memory than there is"),
)

_PROOFS = """
## Proofs

Half of each group goes, chosen at random, and MXNet 1.9.1 runs the smaller network and the original whose
removed channels are masked (`make corpus-exact`): every network with random parameters, and again with its
own where there are any. [proof.md](proof.md) says what is compared, and what it takes to be *proved*. That a
network from which nothing goes equals itself is no proof. *Not run* are networks that MXNet itself does not
run before anything is removed.

| | random parameters | their own parameters |
|---|---:|---:|
{rows}
"""
_WITHOUT = """
| parameters | outcome | networks | why |
|---|---|---:|---|
{rows}
"""


def proofs(results: Sequence[dict[str, Any]]) -> str:
    """The part of the page that says how many networks of MXNet are proved, and why the others are not."""
    kinds = ((False, "random"), (True, "their own"))
    columns = [_figures([one for one in results if one["real"] is real]) for real, _ in kinds]
    rows = [f"| {name} | {' | '.join(column[name] for column in columns)} |" for name in columns[0]]
    without = [
        f"| {words} | {outcome} | {count} | {escaped(reason).rstrip(': ')}: {names} |"
        for real, words in kinds
        for outcome in OUTCOMES[1:]
        for count, reason, names in _reasons_for(outcome, [one for one in results if one["real"] is real])
    ]
    return _PROOFS.format(rows="\n".join(rows)) + (
        _WITHOUT.format(rows="\n".join(without)) if without else ""
    )


def _figures(some: Sequence[dict[str, Any]]) -> dict[str, str]:
    outcomes = Counter(map(outcome_of, some))
    found = {"networks": str(len(some))}
    found.update({outcome: str(outcomes[outcome]) for outcome in (*OUTCOMES, NOTHING_GOES)})
    proved = [one for one in some if outcome_of(one) == "proved"]
    found["largest error of those proved"] = f"{max((one['error'] for one in proved), default=0.0):.0e}"
    evidence: Counter[str] = Counter()
    for one in some:
        evidence.update(one.get("evidence", {}))
    found.update({f"sliced parameters, {own.value}": f"{evidence[own.value]:,}" for own in Evidence})
    return found


def _reasons_for(outcome: str, results: Sequence[dict[str, Any]]) -> Iterator[tuple[int, str, str]]:
    some = [one for one in results if outcome_of(one) == outcome]
    return grouped((one["label"], reasons_of(one)) for one in some)


def reasons_of(result: dict[str, Any]) -> list[str]:
    """Why a proof came to something else: what differs, or of what kind the reasons are."""
    if result["outcome"] in ("proved", "not proved", None):
        found = kinds_of(result.get("unwitnessed") or [result.get("reason") or "nothing tells of it"])
    else:
        found = list(result.get("worst") or [result.get("reason") or "its parameters are others"])[:1]
    return found


def outcome_of(result: dict[str, Any]) -> str:
    """What came of a proof: one of :data:`OUTCOMES`, or that nothing goes."""
    if result["outcome"] in ("proved", "not proved") and not result["evidence"]:
        return NOTHING_GOES
    outcome: Optional[str] = result["outcome"]
    return outcome or "not run"


def verdict_text(result: dict[str, Any]) -> str:
    """The error of a proof, or its outcome where it is another."""
    if not result:
        return ""
    outcome = outcome_of(result)
    if outcome == "proved":
        return f"{result['error']:.0e}"
    return outcome if outcome in (NOTHING_GOES, "not run") else f"**{outcome}**"


def kinds_of(reasons: Iterable[str]) -> list[str]:
    """What reasons come to without the names in them, each kind once."""
    found = (next((kind for words, kind in _KINDS if words in text), text) for text in reasons)
    return list(dict.fromkeys(found))


def grouped(reasons: Iterable[tuple[str, Iterable[str]]]) -> Iterator[tuple[int, str, str]]:
    """For each reason, the most frequent first, how many networks have it, the reason, and the first of their
    names.  Takes the name and the reasons of each network."""
    names: dict[str, list[str]] = {}
    for name, texts in reasons:
        for text in texts:
            names.setdefault(text, []).append(name)
    for text, those in sorted(names.items(), key=lambda item: -len(item[1])):
        more = f" and {len(those) - _MOST} more" if len(those) > _MOST else ""
        yield len(those), text, ", ".join(those[:_MOST]) + more


def escaped(text: str) -> str:
    """A text for a cell of a table."""
    return text.replace("|", "\\|")
