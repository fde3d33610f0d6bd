"""What the training of a method of the comparison is told: the tree that its recipe returns."""

from dataclasses import dataclass, field
from pathlib import Path

from skyreid.baselines.baseline import PAPER_SIZE, Preset
from skyreid.baselines.building import BaselineModel
from skyreid.clips.augmentation import AugmentationConfig
from skyreid.clips.clip_choice import TrainingChoice
from skyreid.clips.identity_sampler import IdentitySamplerConfig
from skyreid.distributed import Precision
from skyreid.errors import SettingError
from skyreid.extraction.embed_tracklets import ExtractionConfig
from skyreid.training.optimizer import OptimizerConfig
from skyreid.training.schedule import CosineSchedule, StepSchedule


@dataclass(frozen=True, kw_only=True)
class BaselineConfig:
    method: str
    """A name in `skyreid.baselines.BASELINES`."""
    preset: Preset = "release"
    benchmark: str
    """A name of `skyreid data list`."""
    data_root: Path
    """Folder of the benchmark."""
    run_dir: Path
    """Folder that the run writes."""
    split: int = 0
    """Of benchmarks with several splits."""
    pretrained: Path | None = None
    """File of published ImageNet weights (torchvision's ResNet-50, for PiT timm's ViT-B/16), for TF-CLIP the checkpoint
    folder of a CLIP pair (`skyreid model import`); None = random weights."""
    image_size: tuple[int, int] = PAPER_SIZE
    """(height, width) of a frame in pixels."""
    clip_length: int = 8
    """Frames a clip."""
    choice: TrainingChoice = "restricted"
    """How the frames of a training clip are drawn."""
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    sampler: IdentitySamplerConfig = field(default_factory=IdentitySamplerConfig)
    epochs: int
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: StepSchedule | CosineSchedule
    extraction: ExtractionConfig = field(default_factory=ExtractionConfig)
    seed: int = 1234
    precision: Precision = "auto"
    frame_bank_gb: float = 8.0
    """Memory for decoded frames; what does not fit is decoded again."""

    def __post_init__(self) -> None:
        if self.extraction.clip_length != self.clip_length:
            raise SettingError(
                "a method is tested with clips as long as those it is trained with; got "
                f"clip_length={self.clip_length}, extraction.clip_length={self.extraction.clip_length}"
            )

    def model_of(self, num_identities: int) -> BaselineModel:
        """What is built for a number of training identities."""
        return BaselineModel(
            method=self.method,
            preset=self.preset,
            num_classes=num_identities,
            frames=self.clip_length,
            image_size=self.image_size,
        )

    def learning_rate(self, epoch: int) -> float:
        """Learning rate of `epoch`, from 1."""
        if isinstance(self.schedule, CosineSchedule):
            return self.schedule.learning_rate(epoch, self.epochs)
        return self.schedule.learning_rate(epoch)
