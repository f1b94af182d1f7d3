"""Loggers: where a run's scalars go besides its own history."""

from mtl_bench.training.loggers.base import Guarded, Logger, NoLogger, RunInfo
from mtl_bench.training.loggers.tensorboard import TensorBoardLogger
from mtl_bench.training.loggers.wandb import WandbLogger

__all__ = ["Guarded", "Logger", "NoLogger", "RunInfo", "TensorBoardLogger", "WandbLogger"]
