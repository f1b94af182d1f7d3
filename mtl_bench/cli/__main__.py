"""`python -m mtl_bench.cli`: the command line where no script is installed."""

from mtl_bench.cli import main

main()
