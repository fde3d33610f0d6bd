"""SINet: what the first frames of a clip show saliently is faded out of the others, so that these look elsewhere.

Source: S. Bai et al., Salient-to-Broad Transition for Video Person Re-identification, CVPR 2022.
Original: baist/SINet, MIT; written anew from a description of what it computes.

Three salient-to-broad parts (SBM) in stage 3 take one, two and three of four frames for the salient
ones; two parts in stage 2 (IDM) tell every position of the clip of all others before.

Deviation: `SinetConfig.conv_bias`, `.stem_pool_padding`; frames are a batch, so the backbone has no
3-D kernels.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from einops import einsum, rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.baselines.baseline import PAPER_SIZE, Baseline, Preset, PublishedNames, refuse_other_clips
from skyreid.baselines.parts import make_classifier, make_neck
from skyreid.baselines.resnet50_frames import Place, ResNet50Config, ResNet50Frames, map_size, resnet50_names
from skyreid.errors import SettingError
from skyreid.losses import TripletConfig, batch_hard_triplet

FEATURE = 2048
CONTRAST_WEIGHT = 0.001
CONTRASTED = 4
"""Groups of an identity whose frames are contrasted: four clips of 4 frames, or the halves of two clips of 8."""
TRIPLET = TripletConfig(margin=0.3, form="hinge", distance="cosine")
GROUP = 4
"""Frames that the salient-to-broad part looks at together."""
REDUCTION = 16
GATE_REDUCTION = 4
KERNEL_SIDE = 3
SMALLEST_ATTENTION = 1e-4
SUPPRESSION = 5.0
EXCHANGED = 0.1
"""How much the two sides of a group tell each other."""
SMALLEST_SUPPRESSION = 1e-8
"""Keeps the mean over suppressed features finite where nothing is suppressed, which real features never meet."""


@dataclass(frozen=True, kw_only=True)
class SinetConfig:
    num_classes: int
    """Training identities."""
    frames: int
    """Of a clip: 4, or 8 as two groups of 4 that only the salient-to-broad parts keep apart."""
    image_size: tuple[int, int] = PAPER_SIZE
    """(height, width) of the frames."""
    conv_bias: bool = True
    """Biases on the convolutions of the backbone, random at the start, as released; ImageNet's has none."""
    stem_pool_padding: int = 0
    """Of the first max-pool: 0 as released, 1 in the ResNet-50 that the paper names."""

    def __post_init__(self) -> None:
        if self.frames not in (GROUP, 2 * GROUP):
            raise SettingError(f"sinet: a clip has {GROUP} or {2 * GROUP} frames; got {self.frames}")
        if min(self.map_size(3)) < KERNEL_SIDE:
            raise SettingError(
                f"sinet: frames must leave {KERNEL_SIDE} x {KERNEL_SIDE} features or more after stage 3; "
                f"got image_size={self.image_size}"
            )

    def map_size(self, stage: int) -> tuple[int, int]:
        """(height, width) of the features that leave a stage."""
        return map_size(self.image_size, stage, stem_pool_padding=self.stem_pool_padding)


class Sinet(Baseline):
    """Clips of the length and size that it was built for."""

    training_only = ("classifier.", "projection.")

    def __init__(self, config: SinetConfig) -> None:
        super().__init__()
        self.embed_dim = FEATURE
        self.image_size = config.image_size
        self.frames = config.frames
        height, width = config.map_size(2)

        def parts(place: Place) -> nn.Module | None:
            if place.block % 2 == 0:
                return None
            if place.stage == 2:
                return IntegrationDistribution(place.channels, config.frames * height * width)
            if place.stage == 3:
                return SalientToBroad(place.channels, num_salient=(place.block + 1) // 2)
            return None

        self.backbone = ResNet50Frames(
            ResNet50Config(conv_bias=config.conv_bias, stem_pool_padding=config.stem_pool_padding), after_block=parts
        )
        self.neck = make_neck(FEATURE, trains_bias=True, weight_std=0.02)
        self.classifier = make_classifier(FEATURE, config.num_classes, bias=True)
        self.projection = nn.Linear(FEATURE, FEATURE)

    def forward(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"] | None = None
    ) -> dict[str, Tensor]:
        refuse_other_clips("sinet", frames, frames=self.frames, image_size=self.image_size)
        features = self.backbone(rearrange(frames, "clip frame c h w -> (clip frame) c h w"), self.frames)
        pooled = rearrange(features.amax(dim=(2, 3)), "(clip frame) channel -> clip frame channel", frame=self.frames)
        if not self.training:
            frame_features = self._normed_frames(pooled)
            return {"frame_features": frame_features, "embedding": frame_features.mean(dim=1)}
        # The neck's running statistics follow both of its calls, in this order.
        feature = self.neck(pooled.mean(dim=1))
        projections = self.projection(self._normed_frames(pooled))
        return {"feature": feature, "logits": self.classifier(feature), "projections": projections}

    def _normed_frames(self, pooled: Float[Tensor, "clip frame channel"]) -> Float[Tensor, "clip frame channel"]:
        normed = self.neck(rearrange(pooled, "clip frame channel -> clip channel frame"))
        return rearrange(normed, "clip channel frame -> clip frame channel")

    def losses(self, outputs: Mapping[str, Tensor], labels: Int[Tensor, " clip"]) -> dict[str, Float[Tensor, ""]]:
        return {
            "identity": functional.cross_entropy(outputs["logits"], labels),
            "triplet": batch_hard_triplet(outputs["feature"], labels, TRIPLET),
            "contrast": CONTRAST_WEIGHT * self._contrast(outputs["projections"], labels),
        }

    def _contrast(
        self, projections: Float[Tensor, "clip frame channel"], labels: Int[Tensor, " clip"]
    ) -> Float[Tensor, ""]:
        """Contrast the frames of four groups of an identity, or of two where the batch has no four."""
        groups = rearrange(projections, "clip (half frame) channel -> (clip half) frame channel", frame=GROUP)
        _, clips = labels.unique_consecutive(return_counts=True)
        block = math.gcd(CONTRASTED, *(clips * (self.frames // GROUP)).tolist())
        return frame_contrast(groups, clips_per_identity=block)

    def published_names(self) -> PublishedNames:
        return resnet50_names(lambda name: (f"backbone.{name}",))


def build_sinet(
    *, num_classes: int, frames: int, preset: Preset = "release", image_size: tuple[int, int] = PAPER_SIZE
) -> Sinet:
    """SINet for clips of 4 or 8 frames."""
    released = preset == "release"
    return Sinet(
        SinetConfig(
            num_classes=num_classes,
            frames=frames,
            image_size=image_size,
            conv_bias=released,
            stem_pool_padding=0 if released else 1,
        )
    )


class IntegrationDistribution(nn.Module):
    """Every position of a clip is told of all others; starts as the identity.

    Args:
        channels: of the features.
        num_positions: frames x height x width of a clip, which are channels here.
    """

    def __init__(self, channels: int, num_positions: int) -> None:
        super().__init__()
        inner, inner_positions = channels // REDUCTION, num_positions // REDUCTION
        self.reduce_channels = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner))
        self.integrate = nn.Sequential(nn.Conv1d(num_positions, inner_positions, 1), nn.BatchNorm1d(inner_positions))
        self.distribute = nn.Conv1d(inner_positions, num_positions, 1)
        self.expand_channels = nn.Conv2d(inner, channels, 1)
        for parameter in self.expand_channels.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self, features: Float[Tensor, "image channel height width"], num_frames: int
    ) -> Float[Tensor, "image channel height width"]:
        height, width = features.shape[-2:]
        positions = rearrange(
            self.reduce_channels(features),
            "(clip frame) inner height width -> clip (frame height width) inner",
            frame=num_frames,
        )
        positions = positions + self.distribute(self.integrate(positions))
        told = rearrange(
            positions,
            "clip (frame height width) inner -> (clip frame) inner height width",
            height=height,
            width=width,
        )
        return functional.relu(features + self.expand_channels(told))


class SalientToBroad(nn.Module):
    """What the first frames of a group attend to is faded out of the others, so that these look elsewhere.

    Args:
        channels: of the features.
        num_salient: how many of the 4 frames of a group are the first.
    """

    def __init__(self, channels: int, num_salient: int) -> None:
        super().__init__()
        self.num_salient = num_salient
        self.gate = nn.Sequential(
            nn.Linear(channels, channels // GATE_REDUCTION),
            nn.ReLU(),
            nn.Linear(channels // GATE_REDUCTION, channels),
            nn.Sigmoid(),
        )
        self.attention = nn.Sequential(
            nn.Conv2d(channels, KERNEL_SIDE**2, 1), nn.BatchNorm2d(KERNEL_SIDE**2), nn.ReLU()
        )

    def forward(
        self, features: Float[Tensor, "image channel height width"], num_frames: int
    ) -> Float[Tensor, "image channel height width"]:
        groups = rearrange(
            features, "(group frame) channel height width -> group frame channel height width", frame=GROUP
        )
        gate = self._channel_gate(groups)[:, None, :, None, None]
        salient, rest = groups.split([self.num_salient, GROUP - self.num_salient], dim=1)
        kept = _kept(functional.relu(rest * gate), self._kernel(functional.relu(salient * gate)))
        faded = 1 - kept
        whole = (1, 3, 4)  # frame, height, width
        suppression = faded.mean(whole, keepdim=True).clamp_min(SMALLEST_SUPPRESSION)
        told = (faded * rest).mean(whole, keepdim=True) / suppression
        broadened = rest * kept + EXCHANGED * salient.mean(whole, keepdim=True)
        return rearrange(
            torch.cat([salient + EXCHANGED * told, broadened], dim=1),
            "group frame channel height width -> (group frame) channel height width",
        )

    def _channel_gate(
        self, groups: Float[Tensor, "group frame channel height width"]
    ) -> Float[Tensor, "group channel"]:
        """Weigh the channels; those whose mean is not larger inside the frame than over all of it are closed."""
        mean = groups.mean(dim=(1, 3, 4))
        is_central = groups[..., 1:-1, 1:-1].mean(dim=(1, 3, 4)) / (mean + 1e-8) > 1
        return self.gate(mean) * is_central

    def _kernel(self, salient: Float[Tensor, "group frame channel height width"]) -> Float[Tensor, "group channel tap"]:
        """Nine weighted means of the salient features, the taps of a 3 x 3 kernel."""
        images = rearrange(salient, "group frame channel height width -> (group frame) channel height width")
        attention = rearrange(
            self.attention(images),
            "(group frame) tap height width -> group tap (frame height width)",
            frame=self.num_salient,
        )
        attention = functional.normalize(functional.normalize(attention, p=1, dim=1), p=1, dim=2)
        positions = rearrange(salient, "group frame channel height width -> group channel (frame height width)")
        return einsum(positions, attention, "group channel position, group tap position -> group channel tap")


def _kept(
    features: Float[Tensor, "group frame channel height width"], kernel: Float[Tensor, "group channel tap"]
) -> Float[Tensor, "group frame 1 height width"]:
    """1 where the kernel of the group sees nothing above the average of the frame, less where it does."""
    height, width = features.shape[-2:]
    # A 3 x 3 correlation as nine 1 x 1 ones that are shifted afterwards: repeating the border commutes with them.
    responses = einsum(
        features, kernel, "group frame channel height width, group channel tap -> group frame tap height width"
    )
    padded = functional.pad(responses, (1, 1, 1, 1, 0, 0), mode="replicate")
    taps = [
        padded[:, :, KERNEL_SIDE * row + column, row : row + height, column : column + width]
        for row in range(KERNEL_SIDE)
        for column in range(KERNEL_SIDE)
    ]
    response = rearrange(torch.stack(taps).sum(0), "group frame height width -> group frame (height width)")
    attention = (response / KERNEL_SIDE**2).softmax(dim=-1).clamp_min(SMALLEST_ATTENTION)
    ratio = 1 / (height * width * attention)  # the average attention over that of the position
    kept = torch.exp(SUPPRESSION * (ratio.clamp_max(1) - 1))
    return rearrange(kept, "group frame (height width) -> group frame 1 height width", height=height)


def frame_contrast(
    projections: Float[Tensor, "clip frame dim"], *, clips_per_identity: int, temperature: float = 0.07
) -> Float[Tensor, ""]:
    """InfoNCE between the frames of one identity: those that stand at the same place in their clips should agree.

    The sum over identities of their mean contrast; negatives are the identity's own frames at other places, since
    each frame of a clip is to show something else of the person.

    Args:
        projections: clips in blocks of `clips_per_identity` that show one identity each; not normalised.
        clips_per_identity: two or more.
        temperature: the cosine is divided by it.

    Raises:
        SettingError: the clips are no whole number of blocks.
    """
    clips, frames = projections.shape[:2]
    if clips_per_identity < 2 or clips % clips_per_identity:
        raise SettingError(
            "frames are contrasted between the clips of an identity, so a batch holds 2 or more of each; "
            f"got {clips} clips in blocks of {clips_per_identity}"
        )
    grouped = rearrange(projections, "(identity clip) frame dim -> identity (clip frame) dim", clip=clips_per_identity)
    normed = functional.normalize(grouped, dim=-1)
    number = torch.arange(clips_per_identity * frames, device=projections.device)
    clip, place = number // frames, number % frames
    same_place, same_clip = place[:, None] == place[None, :], clip[:, None] == clip[None, :]
    return negatives_contrast(normed @ normed.mT / temperature, same_place & ~same_clip, ~same_place).sum()


def negatives_contrast(
    logits: Float[Tensor, "*group anchor other"],
    is_positive: Bool[Tensor, "*#group anchor other"],
    is_negative: Bool[Tensor, "*#group anchor other"],
) -> Float[Tensor, " *group"]:
    """Mean over all positives of -log(e^positive / (e^positive + sum over the anchor's negatives of e^negative)).

    Unlike `supervised_contrastive`, the other positives of an anchor do not stand in the denominator.
    """
    negatives = logits.masked_fill(~is_negative, -torch.inf).logsumexp(dim=-1, keepdim=True)
    losses = torch.logaddexp(logits, negatives) - logits
    return (losses * is_positive).sum(dim=(-2, -1)) / is_positive.sum(dim=(-2, -1))
