"""One exported program, compiled and proved as users do: ``python -m bench.pytorch_compile NAME FILE``.

What comes out is loaded by PyTorch in a process of its own, run at other sizes, and trained for some steps
(``python -m bench.pytorch_compile NAME FILE --use``).  Prints one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.networks import ROOT
from bench.onnx_networks import Architecture, architecture

_RATIO = "0.5"
#: Reasons that any network has to keep channels.
_OUTPUT = "the model output"
_SECONDS = 1200
#: Sizes of the batch that differ from that of the export, and steps of training.
_BATCHES = (1, 3)
_STEPS, _RATE = 6, 1e-3


def main() -> int:
    """Compiles, or uses what was compiled; exit status 0 whatever comes out."""
    name, path, *use = sys.argv[1:]
    one = architecture(name)
    print(json.dumps(used(one, Path(path)) if use else examine(one, Path(path))))
    return 0


def examine(one: Architecture, path: Path) -> dict[str, Any]:
    """What came of one export."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = [
            sys.executable,
            "-m",
            "prunec",
            "compile",
            str(path),
            "--ratio",
            _RATIO,
            "--verify",
            "--json",
        ]
        start = time.monotonic()
        done = _run([*command, "--no-restore", "--out", str(out)])
        found: dict[str, Any] = {"exit": done.returncode, "seconds": round(time.monotonic() - start, 1)}
        if not (out / path.name).exists():
            text = done.stderr.decode("utf-8", "replace").strip() or done.stdout.decode("utf-8", "replace")
            return {**found, "outcome": "refused", "message": text[-2000:]}
        summary = json.loads(done.stdout)
        found.update(_figures(summary))
        use = _run([sys.executable, "-m", "bench.pytorch_compile", one.name, str(out / path.name), "--use"])
        lines = use.stdout.decode("utf-8", "replace").splitlines()
        if use.returncode == 0 and lines:
            return {**found, **json.loads(lines[-1])}
        reason = use.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        return {**found, "use": "".join(reason)[:300] or f"exit status {use.returncode}"}


def _figures(summary: dict[str, Any]) -> dict[str, Any]:
    """What counts of ``prunec compile --json``."""
    before, after = (summary["totals"]["parameters"][key] for key in ("before", "after"))
    proof = summary["verification"]
    kept = [(own["reason"], own["channels"]) for own in summary["kept"] if own["channels"]]
    return {
        "outcome": proof["outcome"],
        "error": proof.get("error"),
        "left": after / max(before, 1),
        "kept": [f"{reason}: {channels}" for reason, channels in kept if _OUTPUT not in reason],
    }


def _run(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=_SECONDS)


def used(one: Architecture, path: Path) -> dict[str, Any]:
    """Whether the smaller program loads, runs at other sizes and learns: an empty ``use`` if it does."""
    import torch

    from bench.onnx_export import samples

    torch.set_num_threads(1)
    exported = torch.export.load(path)
    if exported.range_constraints:
        for batch in _BATCHES:
            exported.module()(*samples(one, batch, seed=1).values())
    import prunec.pytorch

    values = tuple(samples(one, 2, seed=1).values())
    module = prunec.pytorch.training(path)
    optimiser = torch.optim.SGD(module.parameters(), _RATE)
    losses = []
    for _ in range(_STEPS):
        # The same units drop out each time, so that losses can be compared.
        torch.manual_seed(0)
        optimiser.zero_grad()
        found = module(*values)
        loss = (found if isinstance(found, torch.Tensor) else found[0]).float().pow(2).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss))
    learns = min(losses[1:]) < losses[0]
    return {"use": "" if learns else f"the loss goes from {losses[0]:.4g} to {min(losses[1:]):.4g}"}


if __name__ == "__main__":
    sys.exit(main())
