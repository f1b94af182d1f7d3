"""Any encoder of ours with some of its layers once per task."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mtl_bench.errors import BenchError
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.models.convolutional import EncoderModel
from mtl_bench.models.task_copies import TaskCopies
from mtl_bench.models.task_norm import TaskNorm
from mtl_bench.models.task_statistics import with_task_statistics


def split_layers(
    outputs: Mapping[str, int],
    input_shape: tuple[int, int, int],
    base: Callable[..., MultiTaskModel],
    split: Sequence[str],
) -> MultiTaskModel:
    """The model that `base` builds, with a copy per task of each layer that `split` names: what Recon trains.

    Recon (Shi, Ren, Zhang and Pan, ICLR 2023) makes the layers in which task gradients conflict most task-specific and
    trains the new network from scratch. `base` is a model's node with `_partial_: true`, `split` holds names of layers
    as `splittable_layers` gives them (`encoder.layer1.0.conv1`): all that a module owns itself, its weight and bias,
    is copied together. So a run's configuration says which layers are whose, and is all that it takes to run it again.

    Copies start as the shared layer does under that seed, so that the split model begins with the plain model's
    predictions, and every task as its single-task network (the paper initialises anew; whether copies of one layer
    are drawn alike is not known to us). From the first copy on tasks have features of their own: K forwards and K
    encoder backwards per batch, and methods that need one shared representation refuse the model. BatchNorms that stay
    shared keep running statistics per task (`TaskStatistics`), else all tasks would be evaluated with those of the
    first; with one task the model is the plain one. Parameters: those of `base`, and K − 1 times those of `split`.
    Of the published tables: Δm of all eleven NYUv2 rows is 0.38 to 0.58 off what their own single-task row gives.

    Raises `BenchError` for a model that cannot be split, see `splittable_layers`, and for a name that is no layer.
    """
    model = base(outputs=outputs, input_shape=input_shape)
    known = splittable_layers(model)
    for name in split:
        if name not in known:
            alike = get_close_matches(name, known, n=1)
            guess = f"did you mean {alike[0]}?" if alike else f"its layers are {', '.join(known)}."
            raise BenchError(f"model.split names {name}, which is no shared layer of {type(model).__name__}; {guess}")
    if not split or len(model.tasks) == 1:
        return model
    for name in dict.fromkeys(split):
        parent, _, own = name.rpartition(".")
        layer = model.get_submodule(name)
        kind = TaskNorm if isinstance(layer, nn.BatchNorm2d | nn.LayerNorm) else TaskCopies
        setattr(model.get_submodule(parent), own, kind(layer, model.tasks))
    with_task_statistics(model.get_submodule("encoder"), model.tasks)
    model.per_task_path = True
    return model


def splittable_layers(model: MultiTaskModel) -> list[str]:
    """Names of the layers that hold shared parameters, in the order of the forward.

    What a module owns beside layers of its own (positions of a transformer, say) is none. Raises `BenchError` for a
    model that has no way to go by task, or a norm with running statistics of another kind than `BatchNorm2d`.
    """
    if not isinstance(model, EncoderModel):
        raise BenchError(
            f"{type(model).__name__} cannot be split: its `encode` does not go by task; derive it from "
            "mtl_bench.models.convolutional.EncoderModel, or choose a model of ours."
        )
    for path, module in model.encoder.named_modules():
        if isinstance(module, _BatchNorm) and module.track_running_stats and not isinstance(module, nn.BatchNorm2d):
            raise BenchError(
                f"{type(model).__name__} cannot be split: its norm encoder.{path} is a {type(module).__name__}, whose "
                "running statistics would be those of one task; choose a model with BatchNorm2d or LayerNorm."
            )
    owners = dict.fromkeys(name.rpartition(".")[0] for name in model.shared_parameters())
    return [name for name in owners if not list(model.get_submodule(name).children())]
