#!/usr/bin/env bash
# From a fresh machine to a first table: set-up, single-task baselines and three methods on real digits, report, plot.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
.venv/bin/mtl-bench train -m +suite=quickstart "$@"
.venv/bin/mtl-bench report runs --experiment multidigits --plot runs/quickstart.png
echo "The same as a picture: runs/quickstart.png. Next: .venv/bin/mtl-bench list"
