"""Encoders, heads and multi-task models. Importing this room loads neither torchvision nor timm."""

from mtl_bench.models.base import MultiTaskModel
from mtl_bench.models.cross_stitch import CrossStitch
from mtl_bench.models.deeplab import DeepLabV3Plus
from mtl_bench.models.dense_resnet import DenseResNet
from mtl_bench.models.initialise import initialise
from mtl_bench.models.lenet import LeNet
from mtl_bench.models.message_passing import MessagePassing
from mtl_bench.models.mlp import MLP
from mtl_bench.models.mtinet import MTINet
from mtl_bench.models.nine_layer_cnn import NineLayerCNN
from mtl_bench.models.resnet import ResNet18
from mtl_bench.models.segnet import SegNet
from mtl_bench.models.segnet_mtan import SegNetMTAN
from mtl_bench.models.shallow_resnet import ShallowResNet
from mtl_bench.models.vit import ViT
from mtl_bench.models.xception import Xception

__all__ = [
    "MLP",
    "CrossStitch",
    "DeepLabV3Plus",
    "DenseResNet",
    "LeNet",
    "MTINet",
    "MessagePassing",
    "MultiTaskModel",
    "NineLayerCNN",
    "ResNet18",
    "SegNet",
    "SegNetMTAN",
    "ShallowResNet",
    "ViT",
    "Xception",
    "initialise",
]
