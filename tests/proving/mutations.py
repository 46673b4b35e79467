"""Rules with one fault each, and what the proof must say of them."""

from __future__ import annotations

from dataclasses import dataclass

from prunec.language.parser import parse
from prunec.proving import RuleVerdict, prove, report
from prunec.support.diagnostics import Source


@dataclass(frozen=True)
class Mutation:
    """A rule that is right with ``right`` in it and has a fault with ``fault`` in its place."""

    name: str
    rule: str
    right: str
    fault: str
    verdict: str = "wrong"
    words: str = ""

    @property
    def text(self) -> str:
        """The rule with its fault."""
        assert self.rule.count(self.right) >= 1
        return self.rule.replace(self.right, self.fault, 1)


def proved(text: str, cases: int, strictness: bool, library: str) -> RuleVerdict:
    """The verdict on one rule."""
    rules = parse(Source("mutated.prune", text)).rules
    (verdict,) = prove(rules, cases=cases, strictness=strictness, library=library)
    return verdict


def check_caught(mutation: Mutation, verdict: RuleVerdict) -> None:
    """The fault is told, where it is, and by which case."""
    told = report([verdict])
    assert verdict.verdict == mutation.verdict, told
    assert mutation.words in told
    assert "mutated.prune:2:4" in told
    if mutation.verdict == "wrong":
        assert verdict.failure is not None and verdict.failure.problem in told


def first_operator(text: str) -> str:
    """What a test of a rule is called."""
    return text.split("op ")[1].split("(")[0].split(" ")[0]
