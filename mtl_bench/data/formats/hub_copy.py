"""Copies on the Hugging Face hub: what each holds, and which of its files and rows lie in a folder."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtl_bench.data.formats.parquet_rows import column_names, count_rows, parquet_files, shards
from mtl_bench.data.official import Inventory, Sample, Tally, take_stock
from mtl_bench.data.sources import SourceFile

ROWS = "parquet"  # what the one file of a sample holds
PICTURES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class HubCopy:
    """`columns` tell it from others, `spellings` is how its files name our splits, `counts` how many rows those have.

    Where the columns are pictures they may lie in folders instead, `{split}/{column}` or `{column}/{split}`.
    """

    repository: str
    variant: str
    columns: tuple[str, ...]
    counts: Mapping[str, int]
    spellings: Mapping[str, tuple[str, ...]]

    @property
    def remedy(self) -> str:
        return f"download it again from huggingface.co/datasets/{self.repository}"

    @property
    def every(self) -> dict[str, list[Sample]]:
        """All samples by their names, without a file."""
        return {split: [Sample(f"{split}/{at}", {}) for at in range(count)] for split, count in self.counts.items()}

    def stock(self, folder: Path, columns: Sequence[str]) -> Inventory:
        """The samples in their order; `row` counts in a parquet file, the name in the split.

        Raises BenchError for parquet files that are damaged or lack one of `columns`.
        """
        found = self._rows(folder, columns) if parquet_files(folder) else self._pictures(folder, columns)
        if not any(found.splits.values()) and not found.lost:
            nothing = f"{folder} holds no file of {self.variant}; {self.remedy}."
            return Inventory(found.source, {}, found.tallies, fatal=[nothing])
        lost = dict(found.lost)
        for split, samples in found.splits.items():
            there = len(samples) + len(lost.get(split, ()))
            if there > self.counts[split]:
                told = f"{folder} holds {there} samples of `{split}` instead of {self.counts[split]}; {self.remedy}."
                return Inventory(found.source, {}, found.tallies, fatal=[told])
            lost[split] = [*lost.get(split, ()), *[self._lacking(folder, split)] * (self.counts[split] - there)]
        lost = {split: told for split, told in lost.items() if told}
        return Inventory(found.source, found.splits, found.tallies, lost, (), self.variant)

    def _rows(self, folder: Path, columns: Sequence[str]) -> Inventory:
        splits, tallies = {}, []
        for split, spellings in self.spellings.items():
            files = shards(folder, spellings)
            present = [path for path in files if path.is_file()]
            for path in present:
                there = column_names(path, self.remedy)
                for column in set(columns) - set(there):
                    SourceFile(path, self.remedy).require(False, f"has no column `{column}` but {', '.join(there)}")
            sizes = {path: count_rows(path, self.remedy) for path in present}
            rows = enumerate(
                (path, row) for path, size in self._whole(split, files, sizes).items() for row in range(size)
            )
            splits[split] = [Sample(f"{split}/{at}", {ROWS: path}, row) for at, (path, row) in rows if path in sizes]
            tallies.append(Tally(split, ROWS, len(present), len(files) - len(present) or int(not files)))
        return Inventory(self.variant, splits, tallies)

    def _whole(self, split: str, files: Sequence[Path], sizes: Mapping[Path, int]) -> dict[Path, int]:
        """How many rows every file has, so that those behind a missing one keep their places: what is lacking is shared
        by the missing files as the hub cuts a split, evenly and the first ones one more.
        """
        missing = [path for path in files if path not in sizes]
        lacking = max(0, self.counts[split] - sum(sizes.values()))
        shares = {path: len(range(at, lacking, len(missing))) for at, path in enumerate(missing)}
        return {path: sizes[path] if path in sizes else shares[path] for path in files}

    def _lacking(self, folder: Path, split: str) -> str:
        missing = [path for path in shards(folder, self.spellings[split]) if not path.is_file()]
        told = f"{missing[0]} is missing" if missing else f"{folder} holds not all of `{self.spellings[split][0]}`"
        return f"{told}; {self.remedy}."

    def _pictures(self, folder: Path, columns: Sequence[str]) -> Inventory:
        splits = {}
        for split, spellings in self.spellings.items():
            places = {column: _picture_folder(folder, column, spellings) for column in columns}
            files = {column: {path.stem: path for path in _pictures_in(place)} for column, place in places.items()}
            stems = sorted(set().union(*files.values()), key=lambda stem: (len(stem), stem))  # 10 after 9
            splits[split] = [
                Sample(f"{split}/{at}", {name: files[name].get(stem, places[name] / f"{stem}.png") for name in columns})
                for at, stem in enumerate(stems)
            ]
        return take_stock(self.variant, splits, dict.fromkeys(columns, self.remedy))


def columns_in(folder: Path) -> set[str]:
    """Of the parquet files in a folder; else the names of folders with pictures, and of the folders of those."""
    if files := parquet_files(folder):
        return set(column_names(files[0], "download it again"))
    inner = [path for place in ("*", "*/*") for path in folder.glob(place) if path.is_dir()]
    return {name for path in inner if any(_pictures_in(path)) for name in (path.name, path.parent.name)}


def _picture_folder(folder: Path, column: str, spellings: tuple[str, ...]) -> Path:
    places = [folder / one / two for split in spellings for one, two in ((split, column), (column, split))]
    return next((place for place in places if place.is_dir()), places[0])


def _pictures_in(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.suffix in PICTURES) if folder.is_dir() else iter(())


MTAN = {"train": ("train",), "test": ("val", "validation", "test")}
COPIES: Mapping[str, HubCopy] = {
    "nyuv2_parquet": HubCopy(
        "tanganke/nyuv2",
        "tanganke's copy of MTAN's NYUv2",
        ("image", "segmentation", "depth", "normal"),
        {"train": 795, "test": 654},
        MTAN,
    ),
    "cityscapes_parquet": HubCopy(
        "tanganke/cityscapes",
        "tanganke's copy of MTAN's Cityscapes",
        ("image", "segmentation_19", "depth"),
        {"train": 2975, "test": 500},
        MTAN,
    ),
    "nyuv2_jagennath": HubCopy(
        "jagennath-hari/nyuv2",
        "jagennath-hari's copy of NYUv2, not of the official split",
        ("rgb", "semantic", "depth"),
        {"train": 1014, "val": 290, "test": 145},
        {"train": ("train",), "val": ("val", "validation"), "test": ("test",)},
    ),
    "nyuv2_wyrx": HubCopy(
        "wyrx/NYUDepthv2_seg",
        "wyrx's copy of NYUv2",
        ("image", "label", "depth"),
        {"train": 795, "test": 654},
        {"train": ("train",), "test": ("teset", "test")},  # as it is spelled there
    ),
}
