"""The leaderboard as HTML: one file per board and an index, each complete in itself, readable without a network."""

from mtl_bench.results.page.material import Material
from mtl_bench.results.page.printed_rows import printed_deltas
from mtl_bench.results.page.site import site_pages, write_site

__all__ = ["Material", "printed_deltas", "site_pages", "write_site"]
