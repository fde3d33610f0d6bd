"""CLIP's image tower for clips, with the adapters of the paper inside its blocks.

The paths of one block (paper Eq. 14, 16, 17), tokens x, prompt p:

    x <- x + Attention(queries LN(x), keys and values [LN(x) ; p]) + CFAA(x)
    x <- x + MLP(LN(x)) + IFA(x)

The adapters read the raw stream; the prompt bypasses the LayerNorm, is keys and values only
(its outputs would be thrown away) and is another one in every block.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from skyreid.errors import SettingError
from skyreid.models.cross_frame_adapter import CrossFrameAdapter
from skyreid.models.intra_frame_adapter import IntraFrameAdapter
from skyreid.models.transformer import Activation, Mlp, SelfAttention

HEAD_WIDTH = 64


@dataclass(frozen=True, kw_only=True)
class AdapterConfig:
    intra_frame: int | None = 256
    """Bottleneck of the intra-frame adapters (alpha); None = no such adapter."""
    cross_frame: int | None = 256
    """Bottleneck of the cross-frame adapters, a multiple of 64; None = no such adapter."""
    activation: Activation = "quick-gelu"
    """Inside the intra-frame adapter: "quick-gelu" (release) or "gelu" (paper). METHOD 11 row 10."""
    zero_init: bool = False
    """Start the adapters as the zero function; False as in the release. METHOD 11 row 9."""


@dataclass(frozen=True, kw_only=True)
class ImageTowerConfig:
    image_size: tuple[int, int] = (256, 128)
    """(height, width) of a frame in pixels."""
    patch_size: int = 16
    stride: int = 16
    """Step between patches; smaller than `patch_size` makes them overlap."""
    width: int = 768
    """Channels; a multiple of 64 (the heads are 64 wide)."""
    layers: int = 12
    activation: Activation = "quick-gelu"
    """Of the pretrained blocks: OpenAI's have "quick-gelu", most of open_clip's "gelu"."""
    adapters: AdapterConfig = field(default_factory=AdapterConfig)

    def __post_init__(self) -> None:
        if self.width % HEAD_WIDTH:
            raise SettingError(f"image tower width must be a multiple of {HEAD_WIDTH}; got {self.width}")
        if self.layers < 2:
            raise SettingError(
                f"the image tower needs at least 2 blocks (the loss reads the last two); got {self.layers}"
            )
        if min(self.image_size) < self.patch_size:
            raise SettingError(f"a frame must hold one patch of {self.patch_size} px; got image_size={self.image_size}")

    @property
    def grid(self) -> tuple[int, int]:
        """Patches down and across."""
        height, width = self.image_size
        return (height - self.patch_size) // self.stride + 1, (width - self.patch_size) // self.stride + 1


class ClipFeatures(NamedTuple):
    """What leaves the image tower, averaged over the frames of each clip (paper Eq. 6)."""

    penultimate: Float[Tensor, "clip dim"]
    """Class token after the last block but one, without LayerNorm (the release's x11)."""
    final: Float[Tensor, "clip dim"]
    """Class token after the last block and LayerNorm (x12)."""
    joint: Float[Tensor, "clip embed"]
    """`final` projected into the space that text shares (xproj)."""


class ImageBlock(nn.Module):
    """One transformer block with its adapters."""

    def __init__(self, dim: int, adapters: AdapterConfig, *, activation: Activation = "quick-gelu") -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(dim)
        self.attention = SelfAttention(dim, heads=dim // HEAD_WIDTH)
        self.norm_mlp = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, activation=activation)
        self.intra_frame = (
            IntraFrameAdapter(
                dim,
                bottleneck=adapters.intra_frame,
                activation=adapters.activation,
                zero_init=adapters.zero_init,
            )
            if adapters.intra_frame
            else None
        )
        self.cross_frame = (
            CrossFrameAdapter(dim, bottleneck=adapters.cross_frame, zero_init=adapters.zero_init)
            if adapters.cross_frame
            else None
        )

    def forward(
        self,
        tokens: Float[Tensor, "clip frame token dim"],
        prompt: Float[Tensor, "clip length dim"] | None = None,
        *,
        adapt: bool = True,
        keep: int | None = None,
    ) -> Float[Tensor, "clip frame kept dim"]:
        """Return the first `keep` tokens only (default all): nobody reads the last block's patches."""
        clips, frames = tokens.shape[:2]
        normed = self.norm_attention(tokens)
        context = normed
        if prompt is not None:
            context = torch.cat([normed, repeat(prompt, "clip length dim -> clip frame length dim", frame=frames)], 2)
        # A slice of everything would cost a backward pass of its own: zeros, and a copy into them.
        asking, stream = (normed, tokens) if keep is None else (normed[:, :, :keep], tokens[:, :, :keep])
        attended = self.attention(
            rearrange(asking, "clip frame token dim -> (clip frame) token dim"),
            rearrange(context, "clip frame token dim -> (clip frame) token dim"),
        )
        mixed = stream + rearrange(attended, "(clip frame) token dim -> clip frame token dim", clip=clips)
        if adapt and self.cross_frame is not None:
            mixed = mixed + self.cross_frame(stream)
        out = mixed + self.mlp(self.norm_mlp(mixed))
        if adapt and self.intra_frame is not None:
            out = out + self.intra_frame(mixed)
        return out


class ImageTower(nn.Module):
    """Frames of clips to class-token features. Frames of one clip meet in CFAA and in the mean only."""

    def __init__(self, config: ImageTowerConfig, *, embed_dim: int) -> None:
        super().__init__()
        dim = config.width
        self.grid = rows, columns = config.grid
        self.patches = nn.Conv2d(3, dim, config.patch_size, config.stride, bias=False)
        self.class_token = nn.Parameter(dim**-0.5 * torch.randn(dim))
        self.position_table = nn.Parameter(dim**-0.5 * torch.randn(1 + rows * columns, dim))
        self.norm_pre = nn.LayerNorm(dim)
        self.blocks = nn.ModuleList(
            ImageBlock(dim, config.adapters, activation=config.activation) for _ in range(config.layers)
        )
        self.norm_post = nn.LayerNorm(dim)
        self.projection = nn.Parameter(dim**-0.5 * torch.randn(dim, embed_dim))
        self.recomputes_blocks = False
        """Whether training keeps the input of each block alone and computes the rest again in its backward pass:
        a third more time, a fraction of the memory, the same numbers."""

    def forward(
        self,
        frames: Float[Tensor, "clip frame channel height width"],
        prompts: Float[Tensor, "clip layer length dim"] | None = None,
        *,
        adapt: bool = True,
    ) -> ClipFeatures:
        """Encode normalised frames.

        Args:
            frames: normalised RGB.
            prompts: platform prompts of the first `layer` blocks.
            adapt: False leaves the adapters out: the bare CLIP tower (stage 1 reads it).
        """
        tokens = self._tokenize(frames)
        last = len(self.blocks) - 1
        for layer, block in enumerate(self.blocks[:-1]):
            tokens = self._run(block, tokens, self._prompt(prompts, layer), adapt=adapt)
        penultimate = tokens[:, :, 0]
        prompt = self._prompt(prompts, last)
        class_tokens = self._run(self.blocks[-1], tokens, prompt, adapt=adapt, keep=1)[:, :, 0]
        final = self.norm_post(class_tokens)
        return ClipFeatures(
            penultimate=penultimate.mean(dim=1),
            final=final.mean(dim=1),
            joint=(final @ self.projection).mean(dim=1),
        )

    def tokens(
        self,
        frames: Float[Tensor, "clip frame channel height width"],
        class_shift: Float[Tensor, "clip dim"] | None = None,
    ) -> Float[Tensor, "clip frame token dim"]:
        """Give all tokens after the last block and LayerNorm, the class token first.

        Args:
            frames: normalised RGB.
            class_shift: added to the class token before the first LayerNorm.
        """
        tokens = self._tokenize(frames, class_shift)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm_post(tokens)

    def adapters(self) -> tuple[list[IntraFrameAdapter], list[CrossFrameAdapter]]:
        """The adapters of all blocks, by kind."""
        modules = [module for block in self.blocks for module in block.children()]
        return (
            [module for module in modules if isinstance(module, IntraFrameAdapter)],
            [module for module in modules if isinstance(module, CrossFrameAdapter)],
        )

    def _run(self, block: nn.Module, *inputs: Tensor | None, **options: bool | int) -> Tensor:
        run = partial(block, **options)
        if self.recomputes_blocks and torch.is_grad_enabled():
            # Nothing in a block draws.
            return checkpoint(run, *inputs, use_reentrant=False, preserve_rng_state=False)  # pyright: ignore[reportReturnType]
        return run(*inputs)

    def _tokenize(
        self,
        frames: Float[Tensor, "clip frame channel height width"],
        class_shift: Float[Tensor, "clip dim"] | None = None,
    ) -> Float[Tensor, "clip frame token dim"]:
        clips = frames.shape[0]
        patches = self.patches(
            rearrange(frames, "clip frame channel height width -> (clip frame) channel height width")
        )
        tokens = rearrange(patches, "(clip frame) dim row column -> clip frame (row column) dim", clip=clips)
        class_tokens = repeat(self.class_token, "dim -> clip frame 1 dim", clip=clips, frame=tokens.shape[1])
        if class_shift is not None:
            class_tokens = class_tokens + rearrange(class_shift, "clip dim -> clip 1 1 dim")
        return self.norm_pre(torch.cat([class_tokens.to(tokens.dtype), tokens], dim=2) + self.position_table)

    @staticmethod
    def _prompt(
        prompts: Float[Tensor, "clip layer length dim"] | None, layer: int
    ) -> Float[Tensor, "clip length dim"] | None:
        return prompts[:, layer] if prompts is not None and layer < prompts.shape[1] else None
