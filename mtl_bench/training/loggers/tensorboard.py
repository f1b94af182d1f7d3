"""TensorBoard event files in the run folder."""

import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from mtl_bench.errors import BenchError
from mtl_bench.training.loggers.base import Draw, Logger, RunInfo

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoardLogger(Logger):
    """Writes `<run folder>/tensorboard`, with the batch as step and the configuration as text.

    A resumed run goes back to its checkpoint. Its file therefore tells readers to drop what an earlier file says about
    later batches (`purge_step`), so no point is drawn twice, and none is lost.
    """

    def start(self, info: RunInfo) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise BenchError("logger=tensorboard needs a package that is missing: pip install tensorboard.") from error
        self._open = partial(SummaryWriter, str(info.folder / "tensorboard"))
        self._writer: SummaryWriter | None = None
        self._config = json.dumps(info.config, indent=2)
        self._batch = self._resumed = 0

    def resumed(self, batch: int) -> None:
        self._batch = self._resumed = batch

    def log(self, values: Mapping[str, float], batch: int) -> None:
        writer = self._at(batch)
        for name, value in values.items():
            writer.add_scalar(name, value, batch)
        self._batch = batch

    def images(self, draw: Draw, caption: str, batch: int) -> None:
        writer = self._at(batch)
        writer.add_text("predictions", caption, batch)  # its images have no caption
        for name, image in draw().items():
            writer.add_image(name, image, batch, dataformats="HWC")

    def finish(self, summary: Mapping[str, float]) -> None:
        if summary:
            self.log(summary, self._batch)
        if self._writer is not None:
            self._writer.close()

    def _at(self, batch: int) -> "SummaryWriter":
        if self._writer is None:
            self._writer = self._open(purge_step=self._resumed + 1)
            self._writer.add_text("config", f"```json\n{self._config}\n```", batch)
        return self._writer
