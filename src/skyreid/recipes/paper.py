"""The settings that the paper's text describes; where it is silent, the release's stand.

    skyreid train vsla-clip-g2a-paper --data-root DATA --run-dir RUN --pretrained CLIP

Expect    paper, Table 3: G2A-VReID 81.29 mAP / 74.27 rank-1 with the platform prompt. Not run by us:
          the data and CLIP's weights cannot be shipped.
Source    paper section 4 and section 5.2.
Differs   from `recipes.release`, by METHOD section 11: cosine similarity with a temperature (row 1; the
          paper gives no temperature), one identity and one triplet loss (2), pad and crop, one draw of
          erasing a clip, filled with the mean colour (4), eight different identities a batch (5), clean
          stage-1 features (7), GELU (10), platform prompt 3 x 16 on two platforms (14), no warm-up in
          stage 2 (15), tracklets of LS-VID left whole (23), no batch left out (30).
"""

from dataclasses import replace

from skyreid.clips.augmentation import PAPER
from skyreid.clips.identity_sampler import IdentitySamplerConfig
from skyreid.models.image_tower import AdapterConfig, ImageTowerConfig
from skyreid.models.platform_prompt import PlatformPromptConfig
from skyreid.models.vsla_clip import VslaClipConfig
from skyreid.recipes.release import ft_clip_release, vsla_clip_release
from skyreid.training.optimizer import StepSchedule
from skyreid.training.stage1 import Stage1Config
from skyreid.training.stage2 import Stage2Config, Stage2LossConfig
from skyreid.training.two_stage import TwoStageConfig

TEMPERATURE = 0.01
"""Where CLIP's own training ends; the paper gives none."""

STAGE1 = Stage1Config(drop_last=False, augmented_features=False, cosine_temperature=TEMPERATURE)
SAMPLER = IdentitySamplerConfig(identities=8, tracklets=4, distinct=True, drop_last=False)
LOSS = Stage2LossConfig(identity_on=("final",), triplet_on=("final",), cosine_temperature=TEMPERATURE)


def vsla_clip_paper(benchmark: str) -> TwoStageConfig:
    """Adapters of alpha 256; the platform prompt where there are two platforms."""
    release = vsla_clip_release(benchmark)
    has_two_platforms = benchmark.startswith("g2a")
    return replace(
        release,
        run_dir=release.run_dir.with_name(f"vsla-clip-{benchmark}-paper"),
        model=VslaClipConfig(
            image=ImageTowerConfig(adapters=AdapterConfig(activation="gelu")),
            platform_prompt=PlatformPromptConfig(depth=3 if has_two_platforms else 0, length=16),
        ),
        augmentation=PAPER,
        stage1=STAGE1,
        stage2=Stage2Config(sampler=SAMPLER, schedule=StepSchedule(warmup_epochs=0), loss=LOSS),
    )


def ft_clip_paper(benchmark: str) -> TwoStageConfig:
    """The whole image tower is trained, twenty times slower than the adapters."""
    release = ft_clip_release(benchmark)
    return replace(
        release,
        run_dir=release.run_dir.with_name(f"ft-clip-{benchmark}-paper"),
        augmentation=PAPER,
        stage1=STAGE1,
        stage2=Stage2Config(
            tuned="image-tower", sampler=SAMPLER, schedule=StepSchedule(peak=5e-6, warmup_epochs=0), loss=LOSS
        ),
    )
