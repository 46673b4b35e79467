"""Hostile and careless inputs of every kind: files with something wrong in them, and a command line."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Callable, Mapping, Sequence

from bench.fuzz_faults import (
    NUMBERS,
    TEXTS,
    Draw,
    archive_changed,
    arrays,
    bytes_changed,
    document_changed,
    message_changed,
    symbol_changed,
    text_changed,
)
from bench.fuzz_good import Good

SHAPES = (
    "1,3,8,8",
    "1,3,1,1",
    "2,3,2,9",
    "0,3,8,8",
    "1,3,8",
    "1,3,8,8,1",
    "1,-3,8,8",
    "x",
    "",
    "1,3,999999999,999999999",
)


@dataclass(frozen=True)
class Case:
    """A folder of files and a command line to run in it; ``outputs`` are what may appear or change there."""

    kind: str
    files: Mapping[str, bytes]
    command: tuple[str, ...]
    outputs: frozenset[str] = frozenset()
    text: str = ""
    """What stands in the standard input."""


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_WORDS = _split(
    """
op when opaque because keep mixes zero out if as specialises policy hold ratio max_ratio min_channels
align whole rows { } ( ) [ ] -> , ; : * *x n c == != and or not in = + - / ? ~ data weight out "" "x" #
## 0 1 -1 0.5 1e999 999999999999999999999 window( unwindow( count( pick( balanced each
"""
)
_POLICIES = (
    'policy "conv1*" { hold because "x" }',
    'policy "*" { ratio 0.5 align 2 min_channels 2 max_ratio 0.9 }',
    'policy "conv?", "fc*" { whole rows }',
)


# --- cases -----------------------------------------------------------------------------------

#: Commands that read a model, with what they write.
_READERS = (
    (("groups",), ()),
    (("groups", "--json"), ()),
    (("explain", "--kept"), ()),
    (("explain", "conv1"), ()),
    (("explain", "c1", "--format", "json"), ()),
    (("explain", "--kept", "--format", "mermaid"), ()),
    (("plan",), ("plan.json",)),
    (("plan", "--global", "--target", "params=0.5"), ("plan.json",)),
    (("plan", "--target", "macs=0.6", "--strict"), ("plan.json",)),
    (("compile", "--out", "o", "--report"), ("o",)),
    (("compile", "--out", "o", "--json"), ("o",)),
)


def _on_model(draw: Draw, name: str, others: Sequence[str] = ()) -> tuple[tuple[str, ...], frozenset[str]]:
    command, outputs = draw.choice(_READERS)
    more = list(others)
    if name.endswith(".json") and draw.random() < 0.8:
        more += ["--input", f"data={draw.choice(SHAPES[:4] if draw.random() < 0.8 else SHAPES)}"]
    return (command[0], name, *command[1:], *more), frozenset(outputs)


def _symbol_case(draw: Draw, made: Good) -> Case:
    data = draw.choice(made.symbols)
    data = bytes_changed(draw, data) if draw.random() < 0.2 else symbol_changed(draw, data, made.operators)
    if draw.random() < 0.1:
        files = {"a-symbol.json": data, "b-symbol.json": draw.choice(made.symbols)}
        form = draw.choice(("text", "json", "markdown"))
        return Case("symbol", files, ("diff", *sorted(files, reverse=draw.random() < 0.5), "--format", form))
    return Case("symbol", {"net-symbol.json": data}, *_on_model(draw, "net-symbol.json"))


def _params_case(draw: Draw, made: Good) -> Case:
    files = {"net-symbol.json": made.symbols[0], "net-0000.params": bytes_changed(draw, made.parameters)}
    return Case("params", files, *_on_model(draw, "net-symbol.json"))


def _onnx_case(draw: Draw, made: Good) -> Case:
    data = draw.choice(made.models)
    data = bytes_changed(draw, data) if draw.random() < 0.25 else message_changed(draw, data, made.operators)
    files = {"net.onnx": data, "data.bin": bytes(96)}
    if draw.random() < 0.1:
        files["b.onnx"] = draw.choice(made.models)
        form = draw.choice(("text", "json", "markdown"))
        return Case("onnx", files, ("diff", "net.onnx", "b.onnx", "--format", form))
    return Case("onnx", files, *_on_model(draw, "net.onnx"))


def _program_case(draw: Draw, made: Good) -> Case:
    data = draw.choice(made.programs)
    data = bytes_changed(draw, data) if draw.random() < 0.2 else archive_changed(draw, data)
    return Case("program", {"net.pt2": data}, *_on_model(draw, "net.pt2"))


def _rules_case(draw: Draw, made: Good) -> Case:
    text = "\n".join(draw.choices(made.rules, k=draw.choice((1, 1, 2))))
    text = text_changed(draw, text, _WORDS) if draw.random() < 0.8 else text
    data = text.encode("utf-8", "surrogatepass")
    data = bytes_changed(draw, data) if draw.random() < 0.3 else data
    files = {"my.prune": data}
    command = draw.choice(("check", "fmt", "list", "doc", "model", "stdin"))
    if command == "check":
        form = draw.choice(("full", "concise", "json", "github"))
        return Case(
            "rules", files, ("rules", "check", "my.prune", "--format", form, *draw.choice(((), ("--alone",))))
        )
    if command == "model":
        files["net-symbol.json"] = made.symbols[0]
        return Case("rules", files, *_on_model(draw, "net-symbol.json", ("--rules", "my.prune")))
    if command == "stdin":
        return Case("rules", {}, ("rules", "fmt", "-"), text=data.decode("utf-8", "replace"))
    changes = frozenset(("my.prune",)) if command == "fmt" else frozenset()
    return Case("rules", files, ("rules", command, "my.prune"), changes)


def _policy_case(draw: Draw, made: Good) -> Case:
    text = text_changed(draw, " ".join(draw.choices(_POLICIES, k=draw.choice((1, 2)))), _WORDS)
    data = text.encode("utf-8", "surrogatepass")
    files = {
        "net-symbol.json": made.symbols[0],
        "p.prune": bytes_changed(draw, data) if draw.random() < 0.2 else data,
    }
    if draw.random() < 0.3:
        name, flag = draw.choice((("check", "--alone"), ("fmt", "--check")))
        return Case("policy", files, ("rules", name, "p.prune", flag))
    command = ("plan", "net-symbol.json", "--policy", "p.prune", "--input", "data=1,3,8,8")
    return Case("policy", files, command, frozenset(("plan.json",)))


def _plan_case(draw: Draw, made: Good) -> Case:
    name = draw.choice(list(made.plans))
    model = {"net-symbol.json": made.symbols[0], "net.onnx": made.models[0] if made.models else b""}[name]
    plan = made.plans[name]
    if draw.random() < 0.3:
        plan = bytes_changed(draw, plan)
    else:
        plan = json.dumps(document_changed(draw, json.loads(plan))).encode("utf-8", "surrogatepass")
    more = ("--input", "data=1,3,8,8") if name.endswith(".json") else ()
    files = {name: model, "p.json": plan}
    if draw.random() < 0.3:
        command: tuple[str, ...] = ("plan", name, "--from", "p.json", *more)
        return Case("plan", files, command, frozenset(("plan.json",)))
    return Case("plan", files, ("compile", name, "--plan", "p.json", "--out", "o", *more), frozenset(("o",)))


def _data_case(draw: Draw, made: Good) -> Case:
    files = {"net-symbol.json": made.symbols[0], "net-0000.params": made.parameters, "d.npz": arrays(draw)}
    criterion = draw.choice(("activation", "apoz", "taylor", "reconstruction"))
    command = (
        "plan",
        "net-symbol.json",
        "--criterion",
        criterion,
        "--data",
        "d.npz",
        "--input",
        "data=1,3,8,8",
    )
    return Case("npz", files, command, frozenset(("plan.json",)))


def _table_case(draw: Draw, made: Good) -> Case:
    text = draw.choice(made.tables).decode()
    cells = [line.split(",") for line in text.splitlines()]
    for _ in range(draw.choice((1, 1, 2, 4))):
        row = draw.choice(cells)
        row[draw.randrange(len(row))] = str(
            draw.choice((*TEXTS, *NUMBERS, '"', '"a\nb"', "k" * 140_000, "1e400", "0.5"))
        )
    data = "\n".join(",".join(row) for row in cells).encode("utf-8", "surrogatepass")
    data = bytes_changed(draw, data) if draw.random() < 0.3 else data
    files = {"net-symbol.json": made.symbols[0], "net-0000.params": made.parameters, "s.csv": data}
    command = (
        "plan",
        "net-symbol.json",
        "--criterion",
        "sensitivity",
        "--sensitivity",
        "s.csv",
        "--input",
        "data=1,3,8,8",
    )
    return Case("table", files, command, frozenset(("plan.json",)))


_FLAGS = _split(
    """
--ratio --target --criterion --align --max-ratio --min-channels --aggregate --normalise --policy --data
--sensitivity --from --seed --out --params --rules --input --channel --axis --format --plan --register
--verify --global --strict --force --quiet --json --report --kept --compensate --means --restore --no-restore
--check --alone --against
"""
)
_VALUES = _split(
    """
0 1 -1 0.5 1.0 1e400 nan inf 99999999999999999999 l1 l2 bn-scale lamp fpgm random position macs=0.5
params=1 size=1KB macs=0 params=-1 data=1,3,8,8 data=1 x=1,3,8,8 conv1 conv1_weight fc sum mean max json
text dot net-symbol.json p.json net-0000.params my.prune absent . .. o default onnx
"""
)


def _flags_case(draw: Draw, made: Good) -> Case:
    files = {
        "net-symbol.json": made.symbols[0],
        "net-0000.params": made.parameters,
        "p.json": made.plans["net-symbol.json"],
        "my.prune": draw.choice(made.rules).encode(),
    }
    if made.models:
        files["net.onnx"] = made.models[0]
    command = draw.choice(
        ("plan", "compile", "groups", "explain", "diff", "rules", "compensate", "restore", "verify")
    )
    words = [command]
    if command == "rules":
        words.append(draw.choice(("check", "fmt", "list", "doc", "absent")))
    words.append(draw.choice((*files, "net-symbol.json", "net-symbol.json")))
    for _ in range(draw.randrange(6)):
        words.append(draw.choice(_FLAGS))
        if draw.random() < 0.8:
            words.append(draw.choice(_VALUES))
    if draw.random() < 0.5 and command in ("plan", "compile", "groups", "explain"):
        words += ["--input", "data=1,3,8,8"]
    # What a command line names as its output may be written, and nothing that was read.
    outs = {words[n + 1] for n, word in enumerate(words[:-1]) if word.startswith("--out")}
    changes = {"plan.json", "net-pruned", "net-compensated", *(outs - set(files))}
    changes |= {"my.prune"} if words[:2] == ["rules", "fmt"] else set()
    # --force replaces what a command wrote itself, and also a file that is no input of the run.
    changes |= outs if "--force" in words else set()
    changes |= (
        {"changes.diff", "slice_params.py", "groups.json", "report.html", "compensation.json"}
        if {".", ".."} & outs
        else set()
    )
    return Case("flags", files, tuple(words), frozenset(changes))


KINDS: Sequence[tuple[Callable[[Draw, Good], Case], int]] = (
    (_symbol_case, 26),
    (_onnx_case, 26),
    (_program_case, 20),
    (_rules_case, 14),
    (_params_case, 8),
    (_policy_case, 6),
    (_plan_case, 8),
    (_data_case, 4),
    (_table_case, 3),
    (_flags_case, 5),
)


def case(made: Good, seed: int, number: int) -> Case:
    """The case of a number: the same for the same seed, whatever was made before."""
    draw = random.Random(f"{seed}:{number}")
    kinds = [(make, weight) for make, weight in KINDS if made.models or make is not _onnx_case]
    (make,) = draw.choices([make for make, _ in kinds], [weight for _, weight in kinds])
    return make(draw, made)
