"""Do two versions of prunec write the same?  ``python bench/same.py BEFORE [--onnx FOLDER] [WORD…]``

BEFORE is another checkout.  Both compile every network of the corpus, and every ONNX model in a folder; what
they write and print is compared byte for byte, but of slicing scripts the positions
kept only, and of plans and groups without the digest of the rules.  Differences are
listed, a line for each file; exit status 1 where there is any.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
#: What one checkout makes of one model: a digest for each file, the exit status and what was printed.
Made = Mapping[str, str]
#: Models that take longer are left out on both sides.
_SECONDS = 300


def main() -> int:
    """Compiles with both versions and prints what differs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("before", type=Path, help="a checkout of the version to compare with")
    parser.add_argument("words", nargs="*", help="only models whose path holds one of these")
    parser.add_argument("--onnx", type=Path, help="a folder of ONNX models, compiled as well")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work is not None:
        return _work(Path(options.work))
    models = list(_models(options.words, options.onnx))
    sides = [_side(checkout, models) for checkout in (options.before.resolve(), ROOT)]
    different = 0
    for (path, *_), before, after in zip(models, *map(_results, sides)):
        names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
        if names:
            different += 1
            told = [f"{n}: {before.get(n, 'absent')[:300]} -> {after.get(n, 'absent')[:300]}" for n in names]
            print(f"{path}\n    " + "\n    ".join(told), flush=True)
    print(f"{len(models)} models, {different} of them differ")
    return int(different > 0)


def _models(words: Sequence[str], onnx: Any) -> Iterator[tuple[str, list[str]]]:
    """Each model with the options that its command line takes."""
    sys.path.insert(0, str(ROOT))
    from bench.networks import networks

    found: list[tuple[str, list[str]]] = []
    for network in networks():
        sizes = [f"{name}={','.join(map(str, shape))}" for name, shape in network.inputs.items()]
        given = ["--params", str(network.parameters)] if network.parameters is not None else []
        found.append((str(network.path), [*given, *(w for size in sizes for w in ("--input", size))]))
    for path in sorted(onnx.glob("*.onnx")) if onnx is not None else ():
        found.append((str(path.resolve()), []))
    yield from (own for own in found if not words or any(word in own[0] for word in words))


def _side(checkout: Path, models: Sequence[tuple[str, list[str]]]) -> subprocess.Popen[str]:
    """Starts the work of one checkout: a process of its own, which imports that checkout's prunec."""
    name = hashlib.sha256(str(checkout).encode()).hexdigest()[:8]
    cache = Path(tempfile.gettempdir()) / f"prunec-same-{os.getuid()}-{name}"
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PRUNEC_CACHE": str(cache), "COLUMNS": "80"}
    command = [sys.executable, str(Path(__file__).resolve()), str(checkout), "--work", str(checkout)]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=checkout
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(models))
    process.stdin.close()
    return process


def _results(process: subprocess.Popen[str]) -> Iterator[Made]:
    assert process.stdout is not None
    for line in process.stdout:
        yield json.loads(line)
    if process.wait():
        raise SystemExit("a checkout does not compile at all; see above")


# --- one checkout ----------------------------------------------------------------------------


def _work(checkout: Path) -> int:
    sys.path.insert(0, str(checkout))
    from prunec.cli.main import main as command

    for path, options in json.load(sys.stdin):
        with tempfile.TemporaryDirectory() as scratch:
            made = _forked(command, path, options, Path(scratch))
        print(json.dumps(made), flush=True)
    return 0


def _forked(command: Any, path: str, options: Sequence[str], scratch: Path) -> Made:
    """Compiles in a process forked from this one, in which everything is imported."""
    child = os.fork()
    if not child:
        try:
            import signal

            signal.alarm(_SECONDS)
            _compile(command, path, options, scratch)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    made = {}
    for file in sorted(scratch.rglob("*")):
        if file.is_file():
            made[file.relative_to(scratch).as_posix()] = _digest(file)
    return made


def _compile(command: Any, path: str, options: Sequence[str], scratch: Path) -> None:
    printed = io.StringIO()
    words = ["compile", path, *options, "--out", str(scratch / "out"), "--quiet"]
    with redirect_stdout(printed), redirect_stderr(printed):
        status = command(words)
    text = printed.getvalue().replace(str(scratch), "SCRATCH")
    (scratch / "printed").write_text(f"status {status}\n{text}", encoding="utf-8")
    script = scratch / "out" / "slice_params.py"
    if script.is_file():
        kept = "\n".join(_kept(script.read_text(encoding="utf-8")))
        (scratch / "kept").write_text(kept, encoding="utf-8")
        script.unlink()
    for document in (scratch / "out" / "groups.json", scratch / "out" / "plan.json"):
        if document.is_file():
            content = json.loads(document.read_text(encoding="utf-8"))
            del content["rules"]
            document.write_text(json.dumps(content), encoding="utf-8")
    shutil.rmtree(scratch / "out" / "report", ignore_errors=True)


def _kept(script: str) -> list[str]:
    """The positions that a script keeps."""
    found = []
    for node in ast.parse(script).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "KEPT":
            found.append(repr(ast.literal_eval(node.value)))  # type: ignore[attr-defined]
    return found


def _digest(file: Path) -> str:
    """What is short is shown as it is."""
    data = file.read_bytes()
    if len(data) < 600:
        return data.decode("utf-8", "replace")
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
