"""What one training run is told: the tree that a recipe returns."""

from dataclasses import dataclass, field
from pathlib import Path

from skyreid.clips.augmentation import AugmentationConfig
from skyreid.distributed import Precision
from skyreid.extraction.embed_tracklets import ExtractionConfig
from skyreid.models.vsla_clip import VslaClipConfig
from skyreid.training.stage1 import Stage1Config
from skyreid.training.stage2 import Stage2Config


@dataclass(frozen=True, kw_only=True)
class TwoStageConfig:
    benchmark: str
    """A name of `skyreid data list`."""
    data_root: Path
    """Folder of the benchmark."""
    run_dir: Path
    """Folder that the run writes."""
    split: int = 0
    """Of benchmarks with several splits."""
    pretrained: Path | None = None
    """Checkpoint folder of a pretrained CLIP pair (`skyreid model import`); None = random towers."""
    model: VslaClipConfig = field(default_factory=VslaClipConfig)
    clip_length: int = 8
    """Frames a clip."""
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    stage1: Stage1Config = field(default_factory=Stage1Config)
    """Not run when no loss of stage 2 needs text (the paper's baseline)."""
    stage2: Stage2Config = field(default_factory=Stage2Config)
    extraction: ExtractionConfig = field(default_factory=ExtractionConfig)
    seed: int = 1234
    precision: Precision = "auto"
    frame_bank_gb: float = 8.0
    """Memory for decoded frames; what does not fit is decoded again."""
