"""The settings of the authors' program, number for number: what the paper's tables were made with.

    skyreid train vsla-clip-g2a-release --data-root DATA --run-dir RUN --pretrained CLIP

Expect    paper, Table 2 (ViFi-CLIP start): G2A-VReID 79.70 mAP / 72.55 rank-1, MARS 88.60 / 91.82,
          LS-VID 85.20 / 91.66, iLIDS-VID 95.33 rank-1. Not run by us: the data and CLIP's weights
          cannot be shipped.
Source    METHOD sections 5 to 7; METHOD section 11 lists where the paper's text says otherwise.
Differs   frames keep their time order, labels are numbered by sorted pid, scores are the last epoch's,
          dead adapters and the unused centre loss are not built: none of it changes an embedding.
"""

from dataclasses import replace
from pathlib import Path

from skyreid.clips.augmentation import RELEASE
from skyreid.clips.identity_sampler import IdentitySamplerConfig
from skyreid.losses import TripletConfig
from skyreid.models.identity_prompt import IdentityPromptConfig
from skyreid.models.image_tower import AdapterConfig, ImageTowerConfig
from skyreid.models.vsla_clip import VslaClipConfig
from skyreid.training.optimizer import StepSchedule, WeightDecay
from skyreid.training.stage1 import Stage1Config
from skyreid.training.stage2 import Stage2Config, Stage2LossConfig
from skyreid.training.two_stage import TwoStageConfig

NO_ADAPTERS = AdapterConfig(intra_frame=None, cross_frame=None)
SAMPLER = IdentitySamplerConfig(identities=8, tracklets=4, distinct=False, drop_last=True)


def vsla_clip_release(benchmark: str) -> TwoStageConfig:
    """Adapters of alpha 256, no platform prompt (the shipped setting has it off)."""
    return TwoStageConfig(
        benchmark=benchmark,
        data_root=Path("data") / benchmark,
        run_dir=Path("runs") / f"vsla-clip-{benchmark}-release",
        pretrained=Path("weights/vifi-clip"),
        model=VslaClipConfig(),
        augmentation=RELEASE,
        stage1=Stage1Config(),
        stage2=Stage2Config(sampler=SAMPLER),
    )


def ft_clip_release(benchmark: str) -> TwoStageConfig:
    """The whole image tower is trained, twenty times slower than the adapters."""
    return TwoStageConfig(
        benchmark=benchmark,
        data_root=Path("data") / benchmark,
        run_dir=Path("runs") / f"ft-clip-{benchmark}-release",
        pretrained=Path("weights/vifi-clip"),
        model=VslaClipConfig(image=ImageTowerConfig(adapters=NO_ADAPTERS)),
        augmentation=RELEASE,
        stage1=Stage1Config(),
        stage2=Stage2Config(tuned="image-tower", sampler=SAMPLER, schedule=StepSchedule(peak=5e-6)),
    )


def clip_reid_release(benchmark: str) -> TwoStageConfig:
    """CLIP-ReID (Li et al., AAAI 2023) on clips: its own two stages on the whole image tower, with fixed words.

    Its features are averaged over the frames of a clip before heads and losses; a batch of 64 holds clips where
    CLIP-ReID's holds images. Everything else that is not in BASELINES section 3.10 is FT-CLIP's.
    """
    ft_clip = ft_clip_release(benchmark)
    return replace(
        ft_clip,
        run_dir=Path("runs") / f"clip-reid-{benchmark}-release",
        model=replace(ft_clip.model, identity_prompt=IdentityPromptConfig(sentence="clip-reid")),
        stage2=Stage2Config(
            epochs=60,
            tuned="image-tower",
            sampler=replace(SAMPLER, identities=16, tracklets=4),
            schedule=StepSchedule(peak=5e-6, warmup_epochs=10, warmup_factor=0.1, milestones=(30, 50)),
            weight_decay=WeightDecay(weights=1e-4, biases=1e-4, bias_learning_rate_factor=2.0),
            loss=Stage2LossConfig(
                image_to_text_weight=0.0,
                text_to_image_weight=0.0,
                triplet=TripletConfig(margin=0.3, form="hinge", distance="euclidean"),
            ),
        ),
    )
