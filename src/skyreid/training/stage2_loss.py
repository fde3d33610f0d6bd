"""The loss of stage 2, term by term.

Source: paper Eq. 7–10. Paper and release disagree (METHOD section 11 row 2): the paper writes one
triplet and one identity loss, the release sums three and two; `identity_on` and `triplet_on` choose.
"""

from dataclasses import dataclass, field
from typing import Literal

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from skyreid.losses.similarity import image_text_logits
from skyreid.losses.supervised_contrastive import supervised_contrastive
from skyreid.losses.triplet import TripletConfig, batch_hard_triplet
from skyreid.models.image_tower import ClipFeatures

HeadName = Literal["final", "joint"]
FeatureName = Literal["penultimate", "final", "joint"]


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
