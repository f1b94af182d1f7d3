"""What a method remembers about each task at every shared parameter."""

from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, where


class TaskVectors:
    """One vector of parameter size per task, 0 at first: K × P memory, made at the first batch, like its rows."""

    def __init__(self, tasks: int) -> None:
        self.tasks = tasks
        self.vectors: Float[Tensor, "K P"] | None = None

    def matrix(self, rows: Float[Tensor, "k P"]) -> Float[Tensor, "K P"]:
        if self.vectors is None:
            self.vectors = rows.new_zeros(self.tasks, rows.shape[1])
        self.vectors = self.vectors.to(rows.device)  # a checkpoint is read onto the host
        return self.vectors

    def average(
        self, rows: Float[Tensor, "k P"], tasks: tuple[int, ...], kept: Float[Tensor, "k"], sound: Bool[Tensor, ""]
    ) -> Float[Tensor, "K P"]:
        """v_i ← kept_i v_i + (1 − kept_i) g_i for the tasks of a batch, unless it is unsound; the others stay.

        Nothing of parameter size is allocated: `rows` are overwritten.
        """
        matrix = self.matrix(rows)
        for row, task, share in zip(rows, tasks, (1 - kept).to(rows), strict=True):
            where(sound, row, matrix[task], out=row)
            matrix[task].lerp_(row, share)
        return matrix

    def state_dict(self) -> dict[str, Any]:
        return {"vectors": self.vectors}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        saved = state["vectors"]
        if saved is not None and len(saved) != self.tasks:
            raise ValueError(f"vectors of {len(saved)} tasks are no {self.tasks} tasks'")
        self.vectors = None if saved is None else saved.clone()
