"""Stage 2: adapt the image tower to the sentences that stage 1 learned.

    text features of all identities, once → epochs of: clips → tower → losses → adapters, platform prompt, heads

Source: paper section 4.2–4.4, Eq. 7–10; METHOD section 6. The text side is frozen, so the text feature of every
identity is computed once and looked up. Paper and release disagree on the loss (METHOD section 11 row 2): the paper
writes one triplet and one identity loss, the release sums three and two; `identity_on` and `triplet_on` choose.
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.clips.identity_sampler import IdentitySamplerConfig
from skyreid.losses import TripletConfig, batch_hard_triplet, image_text_logits, supervised_contrastive
from skyreid.models.image_tower import ClipFeatures
from skyreid.models.vsla_clip import HeadName, TunedPart, VslaClip
from skyreid.processes.distributed import Processes
from skyreid.training.epochs import Resumable, train_epoch
from skyreid.training.optimizer import StepSchedule, WeightDecay, make_adam
from skyreid.training.run import Run

FeatureName = Literal["penultimate", "final", "joint"]
IDENTITIES_AT_ONCE = 64
"""Sentences that the frozen text tower encodes in one go."""


@dataclass(frozen=True, kw_only=True)
class Stage2LossConfig:
    identity_weight: float = 0.25
    """Gamma."""
    triplet_weight: float = 1.0
    """Beta."""
    visual_semantic_weight: float = 1.0
    """Of L_v2sce; 0 = off. The paper's baseline has this and the next two at 0."""
    image_to_text_weight: float = 1.0
    """Delta, of L_i2t."""
    text_to_image_weight: float = 1.0
    """Epsilon, of L_t2i."""
    identity_on: tuple[HeadName, ...] = ("final", "joint")
    """Features with a classifier; the paper writes one."""
    triplet_on: tuple[FeatureName, ...] = ("penultimate", "final", "joint")
    """Features with a triplet loss; the paper writes one."""
    label_smoothing: float = 0.1
    cosine_temperature: float | None = None
    """Similarity is the cosine divided by it (paper); None = the plain dot product (release)."""
    triplet: TripletConfig = field(default_factory=TripletConfig)

    @property
    def needs_text(self) -> bool:
        """Whether a term compares with text, so that stage 1 must learn the sentences first."""
        return any(self.text_weights)

    @property
    def text_weights(self) -> tuple[float, float, float]:
        """Weights of the three terms that compare with text."""
        return self.visual_semantic_weight, self.image_to_text_weight, self.text_to_image_weight


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
    recompute_blocks: bool = False
    """Keep the input of each block of the image tower alone and compute the rest again in its backward pass
    (activation checkpointing): a third more time, a fraction of the memory, the same numbers."""


def train_stage2(model: VslaClip, config: Stage2Config, run: Run, training: Resumable) -> None:
    """Adapt the image tower, from the first epoch that is not finished.

    Args:
        model: on the device of the run.
        config: of stage 2.
        run: for clips and processes.
        training: counts and keeps the epochs.
    """
    texts = _text_features(model, run.processes) if config.loss.needs_text else None
    model.train_in_stage2(config.tuned, config.loss.identity_on)
    model.encoder.tower.recomputes_blocks = config.recompute_blocks
    optimizer = make_adam(model, config.weight_decay)
    steps = run.clips.num_batches(config.sampler, epoch=1)
    epochs = training.epochs(2, config.epochs, optimizer, steps_per_epoch=steps)
    step = Stage2Step(model, run.processes, config.loss, texts)
    prepared_step, prepared_optimizer = run.processes.prepare(step, optimizer)
    for epoch in epochs:
        train_epoch(
            prepared_step,
            prepared_optimizer,
            run.clips.epoch(config.sampler, epoch),
            learning_rate=config.schedule.learning_rate(epoch),
            erase_fill=run.config.augmentation.erase_fill,
            processes=run.processes,
            report=epochs.report,
        )


@torch.no_grad()
def _text_features(model: VslaClip, processes: Processes) -> Tensor:
    """Text feature of every training identity."""
    everyone = torch.arange(model.num_identities, device=processes.device)
    with processes.mixed_precision():
        parts = [model.text_features(part).float() for part in everyone.split(IDENTITIES_AT_ONCE)]
    return torch.cat(parts)


class Stage2Step(nn.Module):
    """One batch to its losses, the same on one process and on many.

    Every process encodes its part of the batch; features are gathered, so that every process computes
    the losses of the whole batch, batch normalisation included. Towers run in the precision of
    `processes`, losses in float32; those of a float64 model stay float64.

    Args:
        model: after `train_in_stage2`.
        processes: the processes.
        config: of the loss.
        texts: text feature of every training identity; None when the loss needs none.
    """

    def __init__(
        self,
        model: VslaClip,
        processes: Processes,
        config: Stage2LossConfig,
        texts: Float[Tensor, "identity embed"] | None,
    ) -> None:
        super().__init__()
        self.encoder = model.encoder
        self.heads = nn.ModuleDict({name: model.heads[name] for name in config.identity_on})
        self.config = config
        self._processes = processes
        # No argument of `forward`: the launch library would round it to the towers' precision.
        self.register_buffer("texts", texts, persistent=False)

    def forward(
        self,
        frames: Float[Tensor, "clip frame channel height width"],
        platforms: Int[Tensor, " clip"],
        labels: Int[Tensor, " clip"],
    ) -> dict[str, Float[Tensor, ""]]:
        """Encode normalised frames of this process's part; give the losses of the whole batch."""
        gather = self._processes.gather_with_gradient
        encoded = self.encoder(frames, platforms)
        at_least_float32 = torch.promote_types(encoded.joint.dtype, torch.float32)
        features = ClipFeatures(*(gather(feature.to(at_least_float32)) for feature in encoded))
        labels = gather(labels)
        # Logits of a hundred in 16 bits would be coarse, and cost nothing next to the tower.
        with torch.autocast(frames.device.type, enabled=False):
            identity_logits = {name: head(getattr(features, name)) for name, head in self.heads.items()}
            return stage2_losses(features, identity_logits, self.texts, labels, self.config)  # pyright: ignore[reportArgumentType]


def stage2_losses(
    features: ClipFeatures,
    identity_logits: dict[HeadName, Float[Tensor, "clip identity"]],
    texts: Float[Tensor, "identity embed"] | None,
    labels: Int[Tensor, " clip"],
    config: Stage2LossConfig,
) -> dict[str, Float[Tensor, ""]]:
    """Every weighted term by name; their sum is the loss.

    Args:
        features: of the whole batch.
        identity_logits: of the heads named in `config.identity_on`.
        texts: text feature of every training identity; None when `config` needs no text.
        labels: training labels.
        config: weights and forms.
    """
    smoothing = config.label_smoothing
    terms = {
        f"identity_{name}": config.identity_weight
        * functional.cross_entropy(identity_logits[name], labels, label_smoothing=smoothing)
        for name in config.identity_on
    }
    for name in config.triplet_on:
        loss = batch_hard_triplet(getattr(features, name), labels, config.triplet)
        terms[f"triplet_{name}"] = config.triplet_weight * loss
    if texts is not None:
        logits = image_text_logits(features.joint, texts, cosine_temperature=config.cosine_temperature)
        in_batch = logits[:, labels]
        terms["visual_semantic"] = config.visual_semantic_weight * functional.cross_entropy(
            logits, labels, label_smoothing=smoothing
        )
        terms["image_to_text"] = config.image_to_text_weight * supervised_contrastive(in_batch, labels, labels)
        terms["text_to_image"] = config.text_to_image_weight * supervised_contrastive(in_batch.T, labels, labels)
    return terms
