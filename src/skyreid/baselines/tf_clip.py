"""TF-CLIP: CLIP without text; a memory of what it saw of each person stands where the text would.

Source: C. Yu et al., TF-CLIP: Learning Text-free CLIP for Video-based Person Re-identification, AAAI 2024.
Original: AsuradaYuci/TF-CLIP, MIT; written anew from a description of what it computes.

Before training, the mean of a person's clips under CLIP as it comes is written down (`TfClip.look_at`). In
training, clips find their person among these memories, which are first made to fit the clip
(`SequencePrompt`). A third feature comes from frames that exchange messages (`MemoryDiffusion`); it sends no
gradient into the image tower.

`TfClipConfig.unused_members` is the released quirk that can be turned off.

Deviation: the platform stands for the camera; it shifts the class token, as in CLIP-ReID. Not described, so
chosen by us: the frames' features have a batch normalisation of their own before the classifier that they share
with the clip's; dropout stands behind attentions, inside and behind perceptrons of the prompt.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.baselines.baseline import PAPER_SIZE, Baseline, Preset, PublishedNames, refuse_other_clips
from skyreid.baselines.parts import PlatformEmbedding, make_classifier, make_neck
from skyreid.errors import SettingError
from skyreid.losses import TripletConfig, batch_hard_triplet
from skyreid.models.image_tower import ImageTower, ImageTowerConfig
from skyreid.models.tower_pair import BARE
from skyreid.models.transformer import Mlp, QuickGELU, SelfAttention

FEATURES = ("final", "joint", "temporal")
"""Each is classified, compared and a part of the embedding."""
IDENTITY_WEIGHT = 0.25
LABEL_SMOOTHING = 0.1
TRIPLET = TripletConfig(margin=0.3, form="hinge", distance="euclidean")
HEAD_WIDTH = 64
DECODER_LAYERS = 2
DROPOUT = 0.1


@dataclass(frozen=True, kw_only=True)
class TfClipConfig:
    num_classes: int
    """Training identities."""
    image: ImageTowerConfig = field(default_factory=lambda: ImageTowerConfig(adapters=BARE))
    """CLIP's image tower; the size of the frames is its."""
    joint_dim: int = 512
    """Width of CLIP's space of image and text, where the memories are; a multiple of 64."""
    unused_members: bool = True
    """Members that the release builds and nothing reads: a second classifier of temporal features, a vector
    and a LayerNorm of the prompt. With them the released weights all have a place and the parameters are as
    many."""


class TfClip(Baseline):
    """Clips of any length and of the size that it was built for, with their platforms."""

    training_only = ("prompt.", "frame_neck.", "necks.", "classifiers.", "unused.")

    def __init__(self, config: TfClipConfig) -> None:
        super().__init__()
        self.config = config
        width = config.image.width
        dims = dict(zip(FEATURES, (width, config.joint_dim, width), strict=True))
        self.embed_dim = sum(dims.values())
        self.image_size = config.image.image_size
        self.tower = ImageTower(config.image, embed_dim=config.joint_dim)
        self.platform = PlatformEmbedding(width)
        self.diffusion = MemoryDiffusion(width, heads=width // HEAD_WIDTH)
        self.prompt = SequencePrompt(config.joint_dim, unused_members=config.unused_members)
        self.frame_neck = make_neck(width, trains_bias=False)
        self.necks = nn.ModuleDict({name: make_neck(dim, trains_bias=False) for name, dim in dims.items()})
        self.classifiers = nn.ModuleDict(
            {name: make_classifier(dim, config.num_classes, bias=False) for name, dim in dims.items()}
        )
        self.unused = nn.ModuleDict()
        if config.unused_members:
            self.unused["classifier"] = make_classifier(width, config.num_classes, bias=False)
        self.register_buffer("memory", torch.zeros(config.num_classes, config.joint_dim))

    @torch.no_grad()
    def look_at(
        self,
        clips: Iterable[
            tuple[Float[Tensor, "clip frame channel height width"], Int[Tensor, " clip"], Int[Tensor, " clip"]]
        ],
    ) -> None:
        """Remember the mean feature of each person, from CLIP as it is now, without platforms.

        Raises:
            SettingError: identities of which there is no clip.
        """
        memory = self.get_buffer("memory")
        sums, counts = torch.zeros_like(memory), torch.zeros_like(memory[:, 0])
        for frames, _, labels in clips:
            joint = self.tower(frames).joint
            sums.index_add_(0, labels, joint.to(sums.dtype))
            counts.index_add_(0, labels, torch.ones_like(labels, dtype=counts.dtype))
        if unseen := (counts == 0).nonzero().flatten().tolist():
            raise SettingError(f"tf-clip: every training identity needs a clip to be remembered by; none of {unseen}")
        memory.copy_(sums / counts[:, None])

    def forward(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"] | None = None
    ) -> dict[str, Tensor]:
        refuse_other_clips("tf-clip", frames, frames=frames.shape[1], image_size=self.image_size)
        tokens = self.tower.tokens(frames, self.platform(platforms, clips=frames.shape[0]))
        projected = tokens @ self.tower.projection
        frame_features = self.diffusion(tokens.detach()).mean(dim=2)
        features = {
            "final": tokens[:, :, 0].mean(dim=1),
            "joint": projected[:, :, 0].mean(dim=1),
            "temporal": frame_features.mean(dim=1),
        }
        if not self.training:
            return features | {"embedding": torch.cat([*features.values()], dim=1)}
        logits = {
            f"{name}_logits": self.classifiers[name](self.necks[name](feature)) for name, feature in features.items()
        }
        return (
            features
            | logits
            | {
                "memory_logits": self._match(features["joint"], projected.mean(dim=1)),
                "frame_logits": self._classify_frames(frame_features),
            }
        )

    def _match(
        self, joint: Float[Tensor, "clip dim"], tokens: Float[Tensor, "clip token dim"]
    ) -> Float[Tensor, "clip identity"]:
        """Compare clips with the memories, each with those that were made to fit it."""
        memories = repeat(self.get_buffer("memory"), "identity dim -> clip identity dim", clip=joint.shape[0])
        return torch.einsum("cd,cid->ci", joint, memories + self.prompt(memories, tokens))

    def _classify_frames(self, features: Float[Tensor, "clip frame dim"]) -> Float[Tensor, "clip frame identity"]:
        normed = self.frame_neck(rearrange(features, "clip frame dim -> (clip frame) dim"))
        logits = self.classifiers["temporal"](normed)
        return rearrange(logits, "(clip frame) identity -> clip frame identity", clip=features.shape[0])

    def losses(self, outputs: Mapping[str, Tensor], labels: Int[Tensor, " clip"]) -> dict[str, Float[Tensor, ""]]:
        def identity(logits: Float[Tensor, "row identity"], of_rows: Int[Tensor, " row"]) -> Float[Tensor, ""]:
            return functional.cross_entropy(logits, of_rows, label_smoothing=LABEL_SMOOTHING)

        of_frames = outputs["frame_logits"]
        num_frames = of_frames.shape[1]
        of_clips = torch.stack([identity(outputs[f"{name}_logits"], labels) for name in FEATURES])
        triplets = torch.stack([batch_hard_triplet(outputs[name], labels, TRIPLET) for name in FEATURES])
        return {
            "identity": IDENTITY_WEIGHT * of_clips.sum(),
            "triplet": triplets.sum(),
            "memory": identity(outputs["memory_logits"], labels),
            "frame_identity": identity(
                rearrange(of_frames, "clip frame identity -> (clip frame) identity"),
                labels.repeat_interleave(num_frames),
            )
            / num_frames,
        }

    def published_names(self) -> PublishedNames:
        raise SettingError(
            "tf-clip starts from a pretrained CLIP pair, not from ImageNet weights "
            "(make one by 'skyreid model import openai FILE --out DIR')"
        )


def build_tf_clip(
    *, num_classes: int, frames: int, preset: Preset = "release", image_size: tuple[int, int] = PAPER_SIZE
) -> TfClip:
    """TF-CLIP with CLIP's ViT-B/16; clips of any length, so `frames` changes nothing.

    The clean preset computes the same.
    """
    return TfClip(
        TfClipConfig(
            num_classes=num_classes,
            image=ImageTowerConfig(image_size=image_size, adapters=BARE),
            unused_members=preset == "release",
        )
    )


class MemoryDiffusion(nn.Module):
    """Temporal memory diffusion: every frame sends a message, hears those of its clip and takes in what it heard."""

    def __init__(self, dim: int, *, heads: int) -> None:
        super().__init__()
        self.message = nn.Linear(dim, dim)
        self.norm_message = nn.LayerNorm(dim)
        self.message_attention = SelfAttention(dim, heads=heads)
        self.norm_attention = nn.LayerNorm(dim)
        self.attention = SelfAttention(dim, heads=heads)
        self.norm_mlp = nn.LayerNorm(dim)
        self.mlp = Mlp(dim)

    def forward(self, tokens: Float[Tensor, "clip frame token dim"]) -> Float[Tensor, "clip frame token_and_1 dim"]:
        """Give a frame's tokens and, behind them, its message."""
        messages = self.message(tokens.mean(dim=2))
        messages = messages + self.message_attention(self.norm_message(messages))
        together = torch.cat([tokens, rearrange(messages, "clip frame dim -> clip frame 1 dim")], dim=2)
        stream = rearrange(together, "clip frame token dim -> (clip frame) token dim")
        stream = stream + self.attention(self.norm_attention(stream))
        stream = stream + self.mlp(self.norm_mlp(stream))
        return rearrange(stream, "(clip frame) token dim -> clip frame token dim", clip=tokens.shape[0])


class SequencePrompt(nn.Module):
    """Sequence-specific prompt: what to add to the memories of the identities, given what a clip shows.

    Args:
        dim: of memories and tokens, a multiple of 64 (the heads are 64 wide).
        unused_members: see `TfClipConfig`.
    """

    def __init__(self, dim: int, *, unused_members: bool = True) -> None:
        super().__init__()
        self.seen = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.LayerNorm(dim))
        self.memories = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim))
        self.layers = nn.ModuleList(DecoderLayer(dim) for _ in range(DECODER_LAYERS))
        self.out = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim))
        self.unused = nn.ModuleDict()
        if unused_members:
            self.unused.register_parameter("alpha", nn.Parameter(torch.ones(dim)))
            self.unused["norm"] = nn.LayerNorm(dim)

    def forward(
        self, memories: Float[Tensor, "clip identity dim"], tokens: Float[Tensor, "clip token dim"]
    ) -> Float[Tensor, "clip identity dim"]:
        stream, seen = self.memories(memories), self.seen(tokens)
        for layer in self.layers:
            stream = layer(stream, seen)
        return self.out(stream)


class DecoderLayer(nn.Module):
    """Memories look at each other, then at the clip."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm_self = nn.LayerNorm(dim)
        self.self_attention = DecoderAttention(dim)
        self.norm_cross = nn.LayerNorm(dim)
        self.cross_attention = DecoderAttention(dim)
        self.norm_mlp = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim, 4 * dim), QuickGELU(), nn.Dropout(DROPOUT), nn.Linear(4 * dim, dim), nn.Dropout(DROPOUT)
        )

    def forward(
        self, memories: Float[Tensor, "clip identity dim"], seen: Float[Tensor, "clip token dim"]
    ) -> Float[Tensor, "clip identity dim"]:
        normed = self.norm_self(memories)
        memories = memories + self.self_attention(normed, normed)
        memories = memories + self.cross_attention(self.norm_cross(memories), seen)
        return memories + self.mlp(self.norm_mlp(memories))


class DecoderAttention(nn.Module):
    """Multi-head attention of tokens to a context, without biases before the last projection."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.query = nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        self.out = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(
        self, tokens: Float[Tensor, "clip token dim"], context: Float[Tensor, "clip source dim"]
    ) -> Float[Tensor, "clip token dim"]:
        query, key, value = (
            rearrange(made, "clip token (head inner) -> clip head token inner", inner=HEAD_WIDTH)
            for made in (self.query(tokens), self.key(context), self.value(context))
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.dropout(self.out(rearrange(mixed, "clip head token inner -> clip token (head inner)")))
