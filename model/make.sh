#!/usr/bin/env bash
# From an empty folder to a graph: photographs -> pairs -> training -> blend -> graphs -> figures -> card.
# Needs the environment of `pip install ".[cpu,train]"`, 16 GB of memory and a few hours; every stage goes on where it was stopped.
#
#   bash model/make.sh            the recipe, in .cache/recipe
#   bash model/make.sh --smoke    the same stages in a few minutes, on one small package, in a folder `smoke` in there: shows that they
#                                 work, no more
#
# WORK=DIR another folder; PYTHON=python3 another interpreter; REFERENCE=FILE.onnx a graph to be measured beside;
# MIRROR=URL another mirror of the packages; MINUTES=N length of each of the two runs; BATCH=N patches a step, 64 on a GPU.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
work=$(realpath -m "${WORK:-$root/.cache/recipe}")
reference=${REFERENCE:+$(realpath -m "$REFERENCE")}
cd "$root"
[[ ${1:-} != --smoke ]] || work+=/smoke

frames=(--out "$work/frames" ${MIRROR:+--mirror "$MIRROR"})
evaluate=(--valid "$work/frames/valid" --cache "$work/scores" ${reference:+--reference "$reference"})
minutes=${MINUTES:-60}
batch=${BATCH:-8}
if [[ ${1:-} == --smoke ]]; then
    frames+=(--packages gnome-taquin --targets 4 --draws 1 --valid-draws 1)
    first=(--minutes 0.1 --batch 2 --side 32 --every 3)
    second=("${first[@]}")
    evaluate+=(--fast --limit 1)
elif [[ $# == 0 ]]; then
    frames+=(--targets 2400 --draws 3)
    first=(--minutes "$minutes" --batch "$batch" --rate 5e-4)
    second=(--minutes "$minutes" --batch "$batch" --rate 2.2e-4 --seed 2)
else
    echo "usage: bash model/make.sh [--smoke]" >&2
    exit 2
fi

"$python" -m model.frames "${frames[@]}"
"$python" -m model.train --data "$work/frames" --out "$work/first" "${first[@]}"
"$python" -m model.train --data "$work/frames" --out "$work/second" --start "$work/first/best.npz" "${second[@]}"
"$python" -m model.blend --out "$work/blend.npz" "$work/second/last.npz=0.96" model/weights/spanx2_ch48.bin=0.04
"$python" -m model.build --weights "$work/blend.npz" --out "$work/graphs"
"$python" -m model.evaluate "${evaluate[@]}" --graph "ours=$work/graphs/liveaction-2x-float32-fp32.onnx" --json "$work/evaluation.json"
echo "graphs are in $work/graphs; to ship them: cp $work/blend.npz model/weights/liveaction-2x.npz && $python -m model.build"
