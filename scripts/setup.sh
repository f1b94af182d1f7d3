# Sourced by the other scripts: makes .venv and installs the package once; later runs find it as it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON=${PYTHON:-python3}
if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "mtl_bench needs Python 3.11 or newer; install it or set PYTHON=/path/to/python." >&2
    exit 1
fi

stamp=$(cat pyproject.toml constraints.txt | cksum)
if [ "$(cat .venv/installed 2>/dev/null)" != "$stamp" ]; then
    echo "Setting up .venv (once, a few minutes) …" >&2
    [ -x .venv/bin/python ] || "$PYTHON" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
    echo "$stamp" > .venv/installed
fi

# Two threads on shared cores are slower than one; a run sets its own number of threads.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
