"""Datasets for the host's trainer, with download and preparation of their folders."""

from .cached import CachedClassificationDataset
from .cochlscene import CochlScene
from .esc50 import ESC50
from .fsdd import FSDD
from .fsdd_devices import FSDDDevices
from .long_tailed import LongTailedFSDD, PartitionedTAU22
from .mislabelled import MislabelledFSDD
from .official import OfficialSplitDataset
from .tau_urban_2022 import TAUUrbanAcousticScenes2022Mobile
from .toy_scenes import ToyScenes
from .vocalsound import VocalSound

__all__ = [
    "ESC50",
    "FSDD",
    "CachedClassificationDataset",
    "CochlScene",
    "FSDDDevices",
    "LongTailedFSDD",
    "MislabelledFSDD",
    "OfficialSplitDataset",
    "PartitionedTAU22",
    "TAUUrbanAcousticScenes2022Mobile",
    "ToyScenes",
    "VocalSound",
]
