#!/bin/sh
# The main job on a real trained network: a quarter of its cost is left, restored without training, proved to
# compute what the masked original does, and fine-tuned.  Needs prunec on the PATH; what needs MXNet is skipped
# without it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-demo-out}
symbol=digits-symbol.json
params=digits-0000.params
quarter="--input data=8,1,8,8 --target macs=0.25"

say() { printf '\n== %s\n' "$*"; }
accuracy() { python "$here/evaluate.py" "$1" "$2" | sed 's/accuracy //'; }
row() { printf '%-34s %s\n' "$1" "$2"; }

if ! python -c 'import mxnet' 2>/dev/null; then
    say "prunec compile: a quarter of the multiply-adds stays (results in $out)"
    prunec compile "$here/$symbol" $quarter --out "$out" --force
    say "MXNet is not installed (it needs Python 3.11 or older): nothing can be run, so the demo ends here"
    exit 0
fi

say "512 training images as examples, without their labels ($out/examples.npz)"
mkdir -p "$out"
python "$here/data.py" --unlabelled --count 512 "$out/examples.npz"
say "prunec compile: a quarter of the multiply-adds stays, and what goes is restored (results in $out/small)"
prunec compile "$here/$symbol" $quarter --criterion obs --data "$out/examples.npz" --out "$out/small" --force --verify
say "To compare: as much cut by magnitudes and not restored"
prunec compile "$here/$symbol" $quarter --no-restore --out "$out/cut" --force --quiet
say "Fine-tuning the restored network (five epochs)"
python "$here/finetune.py" "$out/small/$symbol" "$out/small/$params" "$out/small/tuned-0000.params"
say "Accuracy on held-out images"
row "original" "$(accuracy "$here/$symbol" "$here/$params")"
row "a quarter, cut" "$(accuracy "$out/cut/$symbol" "$out/cut/$params")"
row "a quarter, restored, not trained" "$(accuracy "$out/small/$symbol" "$out/small/$params")"
row "a quarter, restored and fine-tuned" "$(accuracy "$out/small/$symbol" "$out/small/tuned-0000.params")"
say "What changed in the model file: $out/small/changes.diff; layer by layer: $out/small/restoring.json"
