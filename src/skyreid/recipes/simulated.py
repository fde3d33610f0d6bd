"""VSLA-CLIP and FT-CLIP at a hundredth of the size, for benchmarks of simulated people.

    skyreid demo, skyreid reproduce table3
    skyreid train vsla-clip-small --data-root DATA --run-dir RUN

Expect    docs/results.md. Scores of simulated people say nothing about real ones.
Source    the paper's settings (`recipes.paper`) where the size allows, with the release's three triplet and two
          identity losses; the small CLIP that `skyreid model pretrain` makes stands for OpenAI's.
Differs   frames of 64 x 32, 4 frames a clip, 16 identities of 2 clips a batch (each has one tracklet a
          platform), a platform prompt of 2 x 4, learning rates chosen on a world of another seed.
"""

from dataclasses import replace
from pathlib import Path

from skyreid.clips.augmentation import AugmentationConfig
from skyreid.clips.identity_sampler import IdentitySamplerConfig
from skyreid.extraction.embed_tracklets import ExtractionConfig
from skyreid.models.image_tower import AdapterConfig, ImageTowerConfig
from skyreid.models.platform_prompt import PlatformPromptConfig
from skyreid.models.text_tower import TextTowerConfig
from skyreid.models.vsla_clip import VslaClipConfig
from skyreid.pretrained.pair_checkpoint import TINY_TOWERS
from skyreid.processes.distributed import Precision
from skyreid.recipes.release import NO_ADAPTERS
from skyreid.training.optimizer import StepSchedule
from skyreid.training.stage1 import Stage1Config
from skyreid.training.stage2 import Stage2Config, Stage2LossConfig
from skyreid.training.two_stage import TwoStageConfig

TEMPERATURE = 0.1
"""At the small CLIP's own, 0.066, and at 0.05 the sentences cost more; docs/lab-log.md."""
ADAPTER_RATE = 3e-4
TOWER_RATE = 1e-4


def vsla_clip_simulated(
    world: Path, run_dir: Path, *, seed: int, epochs: int = 60, precision: Precision = "float32"
) -> TwoStageConfig:
    """Adapters of both kinds and the platform prompt on the frozen small CLIP.

    Args:
        world: folder that `skyreid.simulation.crop_benchmark` wrote.
        run_dir: folder that the run writes.
        seed: of the training.
        epochs: of stage 2; the rate falls at a half and at three quarters of them.
        precision: of the towers; "bfloat16" takes half the time where the processor has it.
    """
    return TwoStageConfig(
        benchmark="g2a-vreid",
        data_root=world,
        run_dir=run_dir,
        pretrained=TINY_TOWERS,
        model=VslaClipConfig(
            image=ImageTowerConfig(
                image_size=(64, 32),
                patch_size=8,
                stride=8,
                width=128,
                layers=4,
                adapters=AdapterConfig(intra_frame=64, cross_frame=64, activation="gelu", zero_init=True),
            ),
            text=TextTowerConfig(width=64, layers=2, context_length=48),
            embed_dim=128,
            platform_prompt=PlatformPromptConfig(depth=2, length=4),
        ),
        clip_length=4,
        augmentation=AugmentationConfig(pad=3, erase_every_frame_anew=False, erase_fill=(0.0, 0.0, 0.0)),
        stage1=Stage1Config(
            epochs=60, batch_size=32, drop_last=False, augmented_features=False, cosine_temperature=TEMPERATURE
        ),
        stage2=Stage2Config(
            epochs=epochs,
            sampler=IdentitySamplerConfig(identities=16, tracklets=2, drop_last=False),
            schedule=StepSchedule(peak=ADAPTER_RATE, warmup_epochs=0, milestones=(epochs // 2, 3 * epochs // 4)),
            loss=Stage2LossConfig(cosine_temperature=TEMPERATURE),
        ),
        extraction=ExtractionConfig(clip_length=4),
        seed=seed,
        precision=precision,
    )


def vsla_clip_small() -> TwoStageConfig:
    """The demo's settings as a recipe: a training that a CPU ends in minutes, on any benchmark (`--benchmark`)."""
    return vsla_clip_simulated(Path("data/g2a-vreid"), Path("runs/vsla-clip-small"), seed=1234)


def ft_clip_small() -> TwoStageConfig:
    """The same with the whole image tower trained, without adapters and platform prompt."""
    adapted = vsla_clip_small()
    image = replace(adapted.model.image, adapters=NO_ADAPTERS)
    return replace(
        adapted,
        run_dir=Path("runs/ft-clip-small"),
        model=replace(adapted.model, image=image, platform_prompt=PlatformPromptConfig()),
        stage2=replace(adapted.stage2, tuned="image-tower", schedule=replace(adapted.stage2.schedule, peak=TOWER_RATE)),
    )
