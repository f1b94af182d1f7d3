#!/usr/bin/env bash
# From a fresh machine to a first table: set-up, single-task baselines and three methods on rooms, report, pictures.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
.venv/bin/mtl-bench train -m +suite=quickstart "$@"
.venv/bin/mtl-bench report runs --experiment rooms_quick --plot runs/quickstart.png --predictions runs/predictions.png
echo "As pictures: runs/quickstart.png (the table), runs/predictions.png (test samples). Next: .venv/bin/mtl-bench list"
