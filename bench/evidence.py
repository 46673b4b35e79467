"""What a proof rests on, in figures."""

from __future__ import annotations

from collections import Counter
from typing import Any, Mapping

from prunec.verifying.verdict import Verdict

#: The most of anything that is listed.
_MOST = 4


def evidence(verdict: Verdict) -> dict[str, Any]:
    """How many values were compared, what speaks for how many sliced parameters, what for none, and what
    differs."""
    return {
        "compared": len(verdict.compared),
        "evidence": dict(Counter(own.evidence.value for own in verdict.witnesses)),
        "unwitnessed": [f"{own.parameter}: {own.reason}"[:300] for own in verdict.unwitnessed],
        "statistics": sum(own.statistics for own in verdict.restarts),
        "restarts": sum(not own.statistics for own in verdict.restarts),
        "quality": verdict.quality,
        "worst": [str(own) for own in verdict.compared if not own.agrees][:_MOST],
    }


def evidence_text(one: Mapping[str, Any]) -> str:
    """The same in a line, for what is not simply proved."""
    text = f"{one['outcome']} {one['error']:.1e}, {one['compared']} values"
    text += f", {sum(one['evidence'].values())} parameters"
    for kind, count in sorted(one["evidence"].items()):
        if kind != "witnessed":
            text += f", {count} {kind}"
    if one["quality"] is not None:
        text += (
            f", {one['statistics']} nodes with statistics, which change the outputs by {one['quality']:.1%}"
        )
    return text + "".join(f"\n    {own}" for own in (*one["worst"], *one["unwitnessed"][:_MOST]))
