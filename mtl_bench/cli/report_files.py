"""What `mtl-bench report` writes instead of tables in the terminal: Markdown, CSV, LaTeX and HTML."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_bench.errors import BenchError, Damaged

if TYPE_CHECKING:
    from mtl_bench.records import Record
    from mtl_bench.records.entry import EntryFile
    from mtl_bench.results import Board
    from mtl_bench.results.entries import Run
    from mtl_bench.results.validation import Submission

STDOUT = "-"


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write GitHub Markdown there (- for stdout)")
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="write every number there, a file per board (- for stdout)"
    )
    parser.add_argument("--latex", type=Path, metavar="FILE", help="write LaTeX tables there (- for stdout)")
    parser.add_argument(
        "--html", type=Path, metavar="FOLDER", help="write a leaderboard there, index.html and a page per board"
    )


def write_files(
    parsed: argparse.Namespace,
    boards: "Sequence[Board]",
    located: "Sequence[tuple[Path, Record]]",
    files: "Sequence[EntryFile]",
    sent: "Mapping[str, Submission]",
    damaged: list[Damaged],
) -> bool:
    """Whether any was asked for."""
    from mtl_bench.cli.unserved import unserved
    from mtl_bench.results.board_csv import board_csv
    from mtl_bench.results.latex import latex
    from mtl_bench.results.render import markdown

    _put(parsed.markdown, boards, markdown)
    _put(parsed.latex, boards, latex)
    for board, path in zip(boards, _files(boards, parsed.csv), strict=True):
        _put(path, [board], lambda one: board_csv(one, refused=unserved(one)))
    if parsed.html is not None:
        _write_html(parsed.html, boards, located, files, sent, damaged)
        piped = STDOUT in map(str, (parsed.markdown, parsed.latex, parsed.csv))  # a table on stdout stays a table
        told = f"{parsed.html / 'index.html'}: {len(boards)} {'boards' if len(boards) > 1 else 'board'}"
        print(told, file=sys.stderr if piped else sys.stdout)
    return any(path is not None for path in (parsed.markdown, parsed.latex, parsed.csv, parsed.html))


def train_again(runs: "Sequence[Run]") -> list[str] | None:
    """What trains the runs of a row again, all their seeds."""
    from mtl_bench.configuration.commands import KeptRun, train_commands

    firsts = [(next(iter(run.values())), tuple(sorted(run))) for run in runs]
    return train_commands(
        [KeptRun(one["experiment"]["name"], one["method"]["name"], one["config"], seeds) for one, seeds in firsts]
    )


def _write_html(
    folder: Path,
    boards: "Sequence[Board]",
    located: "Sequence[tuple[Path, Record]]",
    files: "Sequence[EntryFile]",
    sent: "Mapping[str, Submission]",
    damaged: list[Damaged],
) -> None:
    from mtl_bench.cli.unserved import unserved
    from mtl_bench.results.page import Material, printed_deltas, site_pages, write_site
    from mtl_bench.results.published import printed_names, published_folder, published_tables

    collection = published_folder()
    printed = printed_deltas(published_tables(collection), printed_names(collection))
    material = Material(located, files, train_again, printed=printed, sent=sent, refused=unserved)
    write_site(folder, site_pages(boards, material, damaged))


def _put(path: Path | None, boards: "Sequence[Board]", form: "Callable[[Board], str]") -> None:
    if path is None:
        return
    text = "\n".join(map(form, boards))
    if str(path) == STDOUT:
        print(text)
    else:
        write_text(path, text)


def _files(boards: "Sequence[Board]", path: Path | None) -> list[Path | None]:
    """`path` for one board, else a file beside it per board: `<stem>-<experiment>`, with a hash where those agree."""
    if path is None or len(boards) == 1 or str(path) == STDOUT:
        return [path] * len(boards)
    names = [board.experiment.replace("/", "-") for board in boards]
    digests = [board.hash[:6] for board in boards]
    endings = [n if names.count(n) == 1 else f"{n}-{digest}" for n, digest in zip(names, digests, strict=True)]
    return [path.with_stem(f"{path.stem}-{ending}") for ending in endings]


def write_text(path: Path, text: str) -> None:
    """As one step where that is possible; folders are made. Raises BenchError where nothing can be written."""
    from mtl_bench.records.atomic import write_atomic

    if path.is_symlink() or path.is_fifo() or path.is_char_device():
        path.write_text(text)  # /dev/stdout and the like: replacing it, as root could, would break it for everyone
    else:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BenchError(f"{path.parent} cannot be created ({error.strerror}); choose another folder.") from error
        write_atomic(path, text)
