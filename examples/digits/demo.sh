#!/bin/sh
# The main job on a real trained network: prune it, prove that the smaller one computes the same as the
# masked original, and compare accuracies.  Needs prunec on the PATH; what needs MXNet is skipped without it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-demo-out}
symbol=digits-symbol.json
params=digits-0000.params

say() { printf '\n== %s\n' "$*"; }

if python -c 'import mxnet' 2>/dev/null; then with_mxnet=yes; else with_mxnet=no; fi

say "prunec compile: half of the channels go (results in $out)"
if [ $with_mxnet = yes ]; then
    prunec compile "$here/$symbol" --rules default.prune --input data=8,1,8,8 --out "$out" --force --verify
else
    prunec compile "$here/$symbol" --rules default.prune --input data=8,1,8,8 --out "$out" --force
    say "MXNet is not installed (it needs Python 3.11 or older): nothing can be run, so the demo ends here"
    exit 0
fi

say "Accuracy of the original network"
python "$here/evaluate.py" "$here/$symbol" "$here/$params"
say "Accuracy of the smaller network, before fine-tuning"
python "$here/evaluate.py" "$out/$symbol" "$out/$params"
say "Fine-tuning the smaller network (five epochs)"
python "$here/finetune.py" "$out/$symbol" "$out/$params" "$out/tuned-0000.params"
say "Accuracy of the smaller network, after fine-tuning"
python "$here/evaluate.py" "$out/$symbol" "$out/tuned-0000.params"
say "What changed in the model file: $out/changes.diff; how its parameters were sliced: $out/slice_params.py"
