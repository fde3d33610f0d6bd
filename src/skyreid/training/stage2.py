"""Stage 2: adapt the image tower to the sentences that stage 1 learned.

Source: paper section 4.2–4.4, Eq. 7–10; METHOD section 6. The text side is frozen, so the text
feature of every identity is computed once and looked up.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skyreid.clips.identity_sampler import IdentitySamplerConfig
from skyreid.distributed import Workers
from skyreid.models.image_tower import ClipFeatures
from skyreid.models.vsla_clip import TunedPart, VslaClip
from skyreid.training.optimizer import WeightDecay
from skyreid.training.schedule import StepSchedule
from skyreid.training.stage2_loss import Stage2LossConfig, stage2_losses


@dataclass(frozen=True, kw_only=True)
class Stage2Config:
    epochs: int = 120
    tuned: TunedPart = "adapters"
    """What is trained besides heads and platform prompt: the adapters (VSLA-CLIP), or the whole image
    tower (FT-CLIP)."""
    sampler: IdentitySamplerConfig = field(default_factory=IdentitySamplerConfig)
    schedule: StepSchedule = field(default_factory=StepSchedule)
    weight_decay: WeightDecay = field(default_factory=WeightDecay)
    loss: Stage2LossConfig = field(default_factory=Stage2LossConfig)


class Stage2Step(nn.Module):
    """One batch to its losses, the same on one process and on many.

    Every process encodes its part of the batch; features are gathered, so that every process computes
    the losses of the whole batch, batch normalisation included. Towers run in the precision of
    `workers`, losses in float32; those of a float64 model stay float64.

    Args:
        model: after `train_in_stage2`.
        workers: the processes.
        config: of the loss.
        texts: text feature of every training identity; None when the loss needs none.
    """

    def __init__(
        self,
        model: VslaClip,
        workers: Workers,
        config: Stage2LossConfig,
        texts: Float[Tensor, "identity embed"] | None,
    ) -> None:
        super().__init__()
        self.encoder = model.encoder
        heads = {"final": model.head_final, "joint": model.head_joint}
        self.heads = nn.ModuleDict({name: heads[name] for name in config.identity_on})
        self.config = config
        self._workers = workers
        # No argument of `forward`: the launch library would round it to the towers' precision.
        self.register_buffer("texts", texts, persistent=False)

    def forward(
        self,
        frames: Float[Tensor, "clip frame channel height width"],
        platforms: Int[Tensor, " clip"],
        labels: Int[Tensor, " clip"],
    ) -> dict[str, Float[Tensor, ""]]:
        """Encode normalised frames of this process's part; give the losses of the whole batch."""
        gather = self._workers.gather_with_gradient
        encoded = self.encoder(frames, platforms)
        at_least_float32 = torch.promote_types(encoded.joint.dtype, torch.float32)
        features = ClipFeatures(*(gather(feature.to(at_least_float32)) for feature in encoded))
        labels = gather(labels)
        # Logits of a hundred in 16 bits would be coarse, and cost nothing next to the tower.
        with torch.autocast(frames.device.type, enabled=False):
            identity_logits = {name: head(getattr(features, name)) for name, head in self.heads.items()}
            return stage2_losses(features, identity_logits, self.texts, labels, self.config)  # pyright: ignore[reportArgumentType]
