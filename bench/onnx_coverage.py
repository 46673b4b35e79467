"""Writes the part of ``docs/coverage.md`` about ONNX: what came of real exports, beside Torch-Pruning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Optional

from bench.coverage import ONNX_HEADING, PATH, reason_text, with_part
from bench.onnx_networks import ARCHITECTURES
from bench.proof_coverage import NOTHING_GOES, escaped, grouped, outcome_of, reasons_of, verdict_text

Result = dict[str, Any]

EXPORTERS = ("torchscript", "dynamo")
TORCH_PRUNING = "torch-pruning"
#: The most of anything that is listed.
_MOST = 3
#: How each export is pruned.
_KINDS = ("strict", "free")
#: What starts the part that ``bench/onnx_open_coverage.py`` writes, and further ones behind it.
OPEN_HEADING = "\n## ONNX exports with an open batch\n"
#: A share of channels that is much to keep, and a difference of shares that rounding may make.
_MUCH, _ALIKE = 0.02, 2e-4
#: Seconds of one core.  Torch-Pruning is done in a few, or does not end.
PATIENCE = 30
#: What starts the codes of models that a framework does not run.
_RUNNING = "P70"
_INTRODUCTION = """
{count} architectures as torchvision, timm and transformers define them, the latter in small configurations,
exported by PyTorch's two exporters (`make corpus-onnx`). Parameters are random such that outputs depend on
inputs: scales and offsets are drawn, and layers are scaled so that values neither fade nor grow.

Half of each group goes, chosen at random. *Left* is the share of the parameters' elements left then,
*strictly* the same with `--strict`, which keeps channels whose removal is approximate. ONNX Runtime runs
both smaller networks and the original whose removed channels are masked; [proof.md](proof.md) says what is
compared and what it takes to be *proved*. *Proof* is the largest relative error of what was compared, where
the strictly pruned network is proved. Every result passes ONNX's checker. *Channels* are those of layers as
above. Time is that of one core to read, analyse and prune, memory the peak of the process.

| | |
|---|---|
{totals}
"""
_EXCEPTIONS = """
### Exceptions

| architecture | exporter | what happened |
|---|---|---|
{rows}
"""
_TABLE = """
### Exports

| architecture | exporter | nodes | channels that can go | left | strictly | groups | approximate | proof \
| seconds | MB | remarks |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|
{rows}
"""
_KEPT = """
### Exports that keep channels

Those that keep more than {share:.0%} of their layers' output channels, model outputs aside, pruned freely.

| architecture | exporter | channels that stay | why |
|---|---|---:|---|
{rows}
"""
_BESIDE = """
### Beside Torch-Pruning

[Torch-Pruning](https://github.com/VainF/Torch-Pruning) 1.6.1 prunes the same networks in PyTorch, where
prunec prunes what is exported. Its high-level pruner runs as its own examples use it: half of the channels
of each layer go, by L1 norm, in one step; the layers that make the outputs are ignored; the number of heads
is given for the layers that make queries, keys and values; whole heads go where positions are rotated;
widths are rounded to the number of heads in torchvision's vision transformer; Swin of transformers gets a
pruner for its patch merging, layers that make two halves at once are told so. Then attributes of modules
that hold a width or a number of heads are set, as the examples do. What is not done after {patience} s
counts as failed. It *succeeds* where something goes and the pruned network takes the same inputs and gives
outputs of the same shapes. Values are not compared: what it removes is not meant to leave them.

prunec succeeds where its results are proved as said above; its figures are those of the dynamo export, else
of the TorchScript one, pruned freely. Time is that of one core for pruning alone, without imports. Memory is
the peak of the process, which for Torch-Pruning holds PyTorch and the network ({base} MB for the smallest
one); prunec runs without PyTorch.

{summary}

| architecture | prunec: left | seconds | MB | Torch-Pruning: left | seconds | MB | remarks on Torch-Pruning |
|---|---:|---:|---:|---:|---:|---:|---|
{rows}
"""


def write_coverage(results: Sequence[Result]) -> None:
    """Puts the part about ONNX into the page, and leaves the rest as it is."""
    page = PATH.read_text(encoding="utf-8")
    PATH.write_text(with_part(page, ONNX_HEADING, rendered(results)), encoding="utf-8")


def rendered(results: Sequence[Result]) -> str:
    """The part of the page about ONNX."""
    exports = [one for one in results if one["run"] != TORCH_PRUNING]
    names = {one["name"] for one in exports}
    totals_rows = "\n".join(f"| {name} | {value} |" for name, value in _totals(exports))
    exceptions = list(_exceptions(exports))
    pieces = [
        ONNX_HEADING,
        _INTRODUCTION.format(count=len(names), totals=totals_rows),
        _EXCEPTIONS.format(rows="\n".join(exceptions)) if exceptions else "",
        _TABLE.format(rows="\n".join(_export(one) for one in exports if one["exported"])),
    ]
    kept = [row for one in exports for row in _kept(one)]
    if kept:
        pieces.append(_KEPT.format(share=_MUCH, rows="\n".join(kept)))
    if len(exports) < len(results):
        pieces.append(_beside(results))
    return "".join(pieces)


def totals(results: Sequence[Result]) -> Iterator[str]:
    """The sums over all results, a line each."""
    exports = [one for one in results if one["run"] != TORCH_PRUNING]
    yield from (f"{name}: {value}" for name, value in _totals(exports))
    if len(exports) < len(results):
        yield _summary(results)


def is_wrong(one: Result) -> bool:
    """Whether prunec failed: it broke, or what it wrote differs from the masked original."""
    if one["run"] == TORCH_PRUNING or not one["exported"]:
        return False
    if one["outcome"] in ("refused", "traceback"):
        return bool(one["outcome"] == "traceback")
    return any(one[kind]["outcome"] == "differs" for kind in _KINDS)


# --- exports ---


def _totals(exports: Sequence[Result]) -> Iterator[tuple[str, str]]:
    made = [one for one in exports if one["exported"]]
    done = [one for one in made if one["outcome"] in ("pruned", "kept")]
    yield "architectures", f"{len({o['name'] for o in made})}, of {len({o['name'] for o in exports})} tried"
    yield "exports", f"{len(made)}, of {len(exports)} tried"
    for exporter in EXPORTERS:
        some = [one for one in exports if one["run"] == exporter]
        yield f"exported by {exporter}", f"{sum(one['exported'] for one in some)} of {len(some)}"
    yield "tracebacks", str(sum(one["outcome"] == "traceback" for one in made))
    refused = [one for one in made if one["outcome"] == "refused"]
    stopped = sum(one["code"].startswith(_RUNNING) for one in refused)
    yield "refused", str(len(refused) - stopped)
    yield "not run by ONNX Runtime", str(stopped)
    proved = [one for one in done if outcome_of(one["strict"]) == "proved"]
    worst = max((one["strict"]["error"] for one in proved), default=0.0)
    yield "proved", f"{len(proved)} of {len(made)}; largest error {worst:.0e}"
    for outcome in ("not proved", "differs", NOTHING_GOES):
        yield outcome, _counted(outcome, done)
    freely = [one["free"] for one in done if outcome_of(one["free"]) == "proved"]
    statistics = sum(one["statistics"] > 0 for one in freely)
    yield "proved, pruned freely", f"{len(freely)} of {len(made)}, {statistics} of them but for statistics"
    yield "with approximate groups", str(sum(one["approximate"] > 0 for one in done))
    if done:
        channels, removable = sum(one["channels"] for one in done), sum(one["removable"] for one in done)
        outputs = sum(one["reasons"].get("model output", 0) for one in done)
        yield (
            "channels that can go",
            f"{removable:,} of {channels:,} ({removable / max(1, channels):.1%};"
            f" {removable / max(1, channels - outputs):.1%} without model outputs)",
        )
        yield "parameters left, mean", f"{sum(one['left'] for one in done) / len(done):.3f}"
        yield "parameters left strictly, mean", f"{sum(one['left_strict'] for one in done) / len(done):.3f}"
        seconds = sorted(one["seconds"] for one in done)
        yield "seconds", f"median {seconds[len(seconds) // 2]:.2f}, longest {seconds[-1]:.2f}"


def _counted(outcome: str, done: Sequence[Result]) -> str:
    """How many strictly pruned networks come to an outcome, and why."""
    some = [one for one in done if outcome_of(one["strict"]) == outcome]
    if outcome == NOTHING_GOES or not some:
        return str(len(some))
    named = ((f"{one['name']} ({one['run']})", reasons_of(one["strict"])) for one in some)
    return f"{len(some)}: " + "; ".join(f"{escaped(why)}: {names}" for _, why, names in grouped(named))


def _exceptions(exports: Iterable[Result]) -> Iterator[str]:
    for one in exports:
        what = _exception(one)
        if what is not None:
            yield f"| {one['name']} | {one['run']} | {escaped(what)} |"


def _exception(one: Result) -> Optional[str]:
    if not one["exported"]:
        return f"PyTorch does not export it: {one['reason']}"
    if one["outcome"] in ("refused", "traceback"):
        return f"{one['outcome']}: {one['message'].splitlines()[0 if one['outcome'] == 'refused' else -1]}"
    for kind in _KINDS:
        if outcome_of(one[kind]) in ("differs", "not proved"):
            said = (one[kind]["worst"] or one[kind]["unwitnessed"] or reasons_of(one[kind]))[:_MOST]
            how = "strictly" if kind == "strict" else "freely"
            return f"{outcome_of(one[kind])}, pruned {how}: {'; '.join(said)}"
    return None


def _export(one: Result) -> str:
    head = f"| {one['name']} | {one['run']} |"
    if one["outcome"] in ("refused", "traceback"):
        return f"{head} | | | | | | | | | {one['outcome']} |"
    share = f"{one['removable'] / one['channels']:.1%}" if one["channels"] else "no layers"
    return (
        f"{head} {one['nodes']} | {share} | {one['left']:.3f} | {one['left_strict']:.3f} | {one['groups']} |"
        f" {one['approximate'] or ''} | {verdict_text(one['strict'])} | {one['seconds']:.2f} |"
        f" {one['memory']} | {_remarks(one)} |"
    )


def _remarks(one: Result) -> str:
    """Why channels of layers stay, outputs aside: the reasons that cost most; and operators not known."""
    reasons = Counter({text: count for text, count in one["reasons"].items() if text != "model output"})
    found = [f"{count:,} × {reason_text(text)}" for text, count in reasons.most_common(2)]
    return "; ".join(found + [f"{count} × {operator}" for operator, count in one["barriers"].items()])


def _kept(one: Result) -> Iterator[str]:
    """A row for an export that keeps many channels: how many, and all reasons."""
    if not one["exported"] or one["outcome"] not in ("pruned", "kept"):
        return
    reasons = Counter({text: count for text, count in one["reasons"].items() if text != "model output"})
    stay = sum(reasons.values())
    if stay > _MUCH * one["channels"]:
        why = "; ".join(f"{count:,} × {reason_text(text)}" for text, count in reasons.most_common())
        share = f"{stay:,} of {one['channels']:,}"
        yield f"| {one['name']} | {one['run']} | {share} ({stay / one['channels']:.1%}) | {why} |"


# --- beside Torch-Pruning ---


def _beside(results: Sequence[Result]) -> str:
    smallest = min(
        (one["memory"] for one in results if one["run"] == TORCH_PRUNING and "memory" in one), default=0
    )
    rows = "\n".join(_pair(name, *_both(name, results)) for name in _names(results))
    return _BESIDE.format(base=smallest, patience=PATIENCE, summary=_summary(results), rows=rows)


def _names(results: Sequence[Result]) -> list[str]:
    known = {one["name"] for one in results}
    return [one.name for one in ARCHITECTURES if one.name in known]


def _both(name: str, results: Sequence[Result]) -> tuple[Optional[Result], Optional[Result]]:
    """What prunec and Torch-Pruning made of an architecture, where they succeeded or tried."""
    own = {one["run"]: one for one in results if one["name"] == name}
    good = [one for run in reversed(EXPORTERS) if (one := own.get(run)) and _succeeded(one)]
    return (good[0] if good else None), own.get(TORCH_PRUNING)


def _succeeded(one: Result) -> bool:
    if one["run"] == TORCH_PRUNING:
        return bool(one["runs"] and one["left"] < 1)
    return bool(
        one["exported"]
        and one["outcome"] == "pruned"
        and all(one[kind]["outcome"] == "proved" for kind in _KINDS)
    )


def _pair(name: str, own: Optional[Result], other: Optional[Result]) -> str:
    good = other if other and _succeeded(other) else None
    remarks = ""
    if other and not good:
        remarks = "removes nothing" if other["runs"] else f"fails: {escaped(other['reason'])}"
    elif own and good and own["left"] > good["left"] + _ALIKE:
        remarks = _more_left(own, good)
    return f"| {name} | {_figures(own)} | {_figures(good)} | {remarks} |"


def _more_left(own: Result, other: Result) -> str:
    """Why prunec leaves more than Torch-Pruning: files have constants that are no parameters."""
    learned: float = own["left_learned"]
    text = f"counts parameters alone, of which prunec leaves {learned:.3f}"
    if learned <= other["left"] + _ALIKE:
        return text
    return f"{text}; of odd numbers of channels removes the larger half"


def _figures(one: Optional[Result]) -> str:
    return f"{one['left']:.3f} | {one['seconds']:.2f} | {one['memory']}" if one else " | | "


def _summary(results: Sequence[Result]) -> str:
    pairs = [_both(name, results) for name in _names(results)]
    tried = [other for _, other in pairs if other is not None]
    both = [(own, other) for own, other in pairs if own and other and _succeeded(other)]
    text = (
        f"prunec succeeds on {sum(own is not None for own, _ in pairs)} of {len(pairs)} architectures,"
        f" Torch-Pruning on {sum(map(_succeeded, tried))} of {len(tried)}."
    )
    if not both:
        return text
    ours, theirs = ([pair[side] for pair in both] for side in (0, 1))
    left, seconds, memory = ((_mean(ours, key), _mean(theirs, key)) for key in ("left", "seconds", "memory"))
    return (
        f"{text} Means over the {len(both)} where both do: parameters left {left[0]:.3f} and {left[1]:.3f},"
        f" time {seconds[0]:.2f} and {seconds[1]:.2f} s, memory {memory[0]:.0f} and {memory[1]:.0f} MB."
    )


def _mean(results: Sequence[Result], key: str) -> float:
    return float(sum(one[key] for one in results) / len(results))
