#!/usr/bin/env bash
# What needs a CUDA device: the tests marked gpu, the cost of a step, and six methods trained once on rooms.
# Run it in an environment with the package installed, after `mtl-bench prepare dataset=multimnist`.
cd "$(dirname "$0")/.." || exit
command -v nvidia-smi > /dev/null || { echo "There is no NVIDIA GPU here: nvidia-smi is missing." >&2; exit 1; }
status=0
run() { echo "== $*"; "$@" || status=1; }
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
run python -m pytest tests/gpu --durations=5
run python scripts/benchmark_step.py --device cuda --blocks 31
run mtl-bench train -m experiment=rooms method=ls,uw,pcgrad,mgda,stgu single_task=true device=cuda paths.runs=runs/gpu
run mtl-bench train -m experiment=rooms_task_norm method=ls,cso,stgu device=cuda paths.runs=runs/gpu
run mtl-bench report runs/gpu --markdown runs/gpu.md
exit $status
