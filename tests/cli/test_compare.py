"""`mtl-bench compare A B`: the table, the sentence, the picture, and refusals."""

from pathlib import Path

from tests.cli.conftest import Type

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
ROOMS = str(REFERENCE / "rooms")


def test_two_methods_of_a_committed_board(mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench("compare", "uw", "pcgrad", ROOMS, "--plot", "uw_pcgrad.png")
    assert typed.status == 0, typed.err
    assert "uw against pcgrad on rooms: gains 4.06 ±1.42 % in Δm; gains 11.59 ±2.99 % on normal;" in typed.words
    assert "not told apart on segmentation, depth_zbuffer." in typed.words
    assert max(map(len, typed.out.splitlines())) <= 80
    assert (folder / "uw_pcgrad.png").read_bytes().startswith(b"\x89PNG")


def test_a_long_table_fits_a_narrow_terminal(mtl_bench: Type) -> None:
    typed = mtl_bench("compare", "ls", "round_robin", str(REFERENCE / "rooms11"))
    assert typed.status == 0, typed.err
    assert "…" not in typed.out
    assert "Warning: fewer than 5 seeds" in typed.words


def test_refusals_are_one_sentence(mtl_bench: Type) -> None:
    for arguments, told in (
        (
            ("graddrop", "cso", ROOMS, str(REFERENCE / "rooms11_task_norm")),
            "Rows of different protocols are not compared",
        ),
        (("uw", "xyz", ROOMS), "No row is called 'xyz'"),
        (("uw", "ls", ROOMS, "--experiment", "x"), "No record of a method on x"),
        (("uw", "ls", "nowhere"), "There is no folder nowhere"),
        (("uw", "ls", ROOMS, "--plot", "a.xyz"), "cannot be written"),
    ):
        typed = mtl_bench("compare", *arguments)
        assert typed.status == 1
        assert typed.sentence.startswith("mtl-bench: ")
        assert told in typed.sentence
