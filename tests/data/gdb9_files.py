"""QM9's files in miniature: chains of atoms, targets that name their molecule."""

from pathlib import Path

import numpy as np

from mtl_bench.data.formats.gdb9_sdf import ATOMS, ELEMENTS, MOLECULES, SKIPPED, TARGETS

CSV = "mol_id,A,B,C,mu,alpha,homo,lumo,gap,r2,zpve,u0,u298,h298,g298,cv,u0_atom,u298_atom,h298_atom,g298_atom"


def write_qm9(folder: Path, count: int, skipped: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """`skipped` counts from 1. Returns tables of atoms [count, 29, 33] and the CSV's values [count, 19]."""
    draw, folder = np.random.RandomState(0), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tables, text = np.zeros((count, ATOMS, 4 + ATOMS), np.float32), ""
    for row in range(count):
        atoms = 3 + row % (ATOMS - 2)
        elements = draw.choice(list(ELEMENTS), atoms)
        places = (draw.normal(size=(atoms, 3)) * 40).round(4)
        orders = draw.randint(1, 4, atoms - 1)
        text += f"gdb {row + 1}\n  made up\n\n{atoms:3d}{atoms - 1:3d}  0  0  0  0  0  0  0  0999 V2000\n"
        for at, (element, place) in enumerate(zip(elements, places, strict=True)):
            text += "".join(f"{value:10.4f}" for value in place) + f" {element}   0  0  0  0  0  0\n"
            tables[row, at, :4] = ELEMENTS[element], *place
        for at, order in enumerate(orders):
            text += f"{at + 1:3d}{at + 2:3d}{order:3d}  0  0  0\n"
            tables[row, at, 5 + at] = tables[row, at + 1, 4 + at] = order
        text += "M  END\n$$$$\n"
    (folder / MOLECULES).write_text(text)
    values = draw.normal(size=(count, 19)).round(5)
    lines = [f"gdb_{row + 1}," + ",".join(map(str, values[row])) for row in range(count)]
    (folder / TARGETS).write_text("\n".join([CSV, *lines]) + "\n")
    listed = "".join(f"   {number:6d}  made up  1.0 \n" for number in skipped)
    (folder / SKIPPED).write_text("1 of nine lines\n" * 9 + listed + "the end\n")
    return tables, values
