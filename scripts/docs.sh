#!/usr/bin/env bash
# The documentation into site/, strictly: a broken link or a page without a place is an error. Look at it with
#   .venv/bin/python -m http.server --directory site
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
export NO_MKDOCS_2_WARNING=1  # an advertisement, not a fault of a page
.venv/bin/mkdocs build --strict --quiet "$@"
