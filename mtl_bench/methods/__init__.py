"""Methods: how the K task losses of one batch become parameter updates. Usable without the rest of the suite."""

from mtl_bench.methods.adatask import AdaTask
from mtl_bench.methods.aligned_mtl import AlignedMTL
from mtl_bench.methods.base import Method
from mtl_bench.methods.cagrad import CAGrad
from mtl_bench.methods.config import ConFIG
from mtl_bench.methods.cso import CSO
from mtl_bench.methods.db_mtl import DBMTL
from mtl_bench.methods.dtp import DynamicTaskPrioritization
from mtl_bench.methods.dualproj import DualProj
from mtl_bench.methods.dwa import DynamicWeightAverage
from mtl_bench.methods.ega import EGA
from mtl_bench.methods.excess_mtl import ExcessMTL
from mtl_bench.methods.fairgrad import FairGrad
from mtl_bench.methods.famo import FAMO
from mtl_bench.methods.gls import GeometricLoss
from mtl_bench.methods.go4align import GO4Align
from mtl_bench.methods.graddrop import GradDrop
from mtl_bench.methods.gradient import GradientAggregation, GramianWeighting
from mtl_bench.methods.gradnorm import GradNorm
from mtl_bench.methods.gradvac import GradVac
from mtl_bench.methods.imtl_g import IMTLG
from mtl_bench.methods.imtl_l import IMTLL
from mtl_bench.methods.interface import GramianProblem
from mtl_bench.methods.layer_conflicts import LayerConflicts
from mtl_bench.methods.learned_priority import LearnedPriority
from mtl_bench.methods.linear_scalarization import LinearScalarization
from mtl_bench.methods.loss_weighting import LossWeighting
from mtl_bench.methods.mgda import MGDA
from mtl_bench.methods.moco import MoCo
from mtl_bench.methods.nash_mtl import NashMTL
from mtl_bench.methods.pcgrad import PCGrad
from mtl_bench.methods.random_groups import RandomGroups
from mtl_bench.methods.repeated import Repeated
from mtl_bench.methods.rlw import RandomLossWeighting
from mtl_bench.methods.sdmgrad import SDMGrad
from mtl_bench.methods.si import ScaleInvariant
from mtl_bench.methods.stch import STCH
from mtl_bench.methods.stgu import STGU, STGUCausal
from mtl_bench.methods.tag import TAG
from mtl_bench.methods.torchjd import TorchJD
from mtl_bench.methods.upgrad import UPGrad
from mtl_bench.methods.uw import UncertaintyWeighting
from mtl_bench.methods.wpcgrad import WPCGrad

__all__ = [
    "CSO",
    "DBMTL",
    "EGA",
    "FAMO",
    "IMTLG",
    "IMTLL",
    "MGDA",
    "STCH",
    "STGU",
    "TAG",
    "AdaTask",
    "AlignedMTL",
    "CAGrad",
    "ConFIG",
    "DualProj",
    "DynamicTaskPrioritization",
    "DynamicWeightAverage",
    "ExcessMTL",
    "FairGrad",
    "GO4Align",
    "GeometricLoss",
    "GradDrop",
    "GradNorm",
    "GradVac",
    "GradientAggregation",
    "GramianProblem",
    "GramianWeighting",
    "LayerConflicts",
    "LearnedPriority",
    "LinearScalarization",
    "LossWeighting",
    "Method",
    "MoCo",
    "NashMTL",
    "PCGrad",
    "RandomGroups",
    "RandomLossWeighting",
    "Repeated",
    "SDMGrad",
    "STGUCausal",
    "ScaleInvariant",
    "TorchJD",
    "UPGrad",
    "UncertaintyWeighting",
    "WPCGrad",
]
