#!/usr/bin/env bash
# From a fresh machine to a green suite: set-up, style, types, tests. Arguments go to pytest, e.g. -m "not slow".
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/python -m pytest -n 2 --dist worksteal "$@"  # one thread each; another -n behind it wins
