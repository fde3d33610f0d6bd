"""The encoder for use only, in any precision: what `VideoEncoder` computes, with as little beside its matrix products.

`VideoEncoder` is the text to read and to train; this is its twin, without gradients, and tests hold the one against
the other. What differs:

- weights are converted once, not at every call, into the order in which a CPU's products in bfloat16 read them, and lie
  in one product where several read the same tokens;
- tokens are rows of one matrix, so that no product is split into many small ones;
- the stream between blocks and the sums of LayerNorm stay in float32, whatever the products are in;
- keys and values of the platform prompts, which no frame changes, are computed once;
- x * sigmoid(1.702 x) is one pass: 1.702 stands in the weights before it, 1 / 1.702 in those behind it;
- the two matrices at the end of a cross-frame adapter, with nothing between them, are one.
"""

from copy import deepcopy
from itertools import zip_longest

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.models.cross_frame_adapter import CrossFrameAdapter
from skyreid.models.image_tower import HEAD_WIDTH, ImageBlock
from skyreid.models.platform_prompt import UNKNOWN_PLATFORM
from skyreid.models.training_kernels import QUICK_SLOPE
from skyreid.models.transformer import QuickGELU
from skyreid.models.vsla_clip import VideoEncoder
from skyreid.tracklet import PLATFORMS

_ROWS = 1_024
"""Of a product, for which weights are put in order; others are computed with them too."""
_CLIPS_AT_A_TIME = 4
"""On a CPU: what a block holds of more clips leaves its caches, and goes back to the system between two products."""


class FastEncoder(nn.Module):
    """A trained encoder, converted; takes and gives float32.

    Args:
        encoder: it is left as it is.
        dtype: of the matrix products.
    """

    def __init__(self, encoder: VideoEncoder, dtype: torch.dtype) -> None:
        super().__init__()
        tower = encoder.tower
        self.image_size, self.embed_dim, self.dtype = encoder.image_size, encoder.embed_dim, dtype
        self.patch_size, self.stride = tower.patches.kernel_size[0], tower.patches.stride[0]
        self.patches = _linear(tower.patches.weight.flatten(1), None, dtype)
        self.class_token = nn.Parameter(tower.class_token.detach().clone())
        self.position_table = nn.Parameter(tower.position_table.detach().clone())
        self.projection = nn.Parameter(tower.projection.detach().clone())
        self.norm_pre, self.norm_post = (deepcopy(norm) for norm in (tower.norm_pre, tower.norm_post))
        prompts = _prompts(encoder)
        self.blocks = nn.ModuleList()
        for block, prompt in zip_longest(tower.blocks, prompts):
            assert isinstance(block, ImageBlock), "a prompt is not deeper than the tower"
            is_last = len(self.blocks) == len(tower.blocks) - 1
            self.blocks.append(FastBlock(block, dtype, prompt, keep=1 if is_last else None))
        self.requires_grad_(False)
        self.eval()

    @torch.no_grad()
    def embed(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"]
    ) -> Float[Tensor, "clip embed"]:
        """Un-normalised embeddings as of `VideoEncoder.embed`."""
        if frames.device.type != "cpu":
            return self._embed(frames, platforms)
        some = zip(frames.split(_CLIPS_AT_A_TIME), platforms.split(_CLIPS_AT_A_TIME), strict=True)
        return torch.cat([self._embed(*clips) for clips in some])

    def _embed(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"]
    ) -> Float[Tensor, "clip embed"]:
        cut = frames.unfold(3, self.patch_size, self.stride).unfold(4, self.patch_size, self.stride)
        pixels = rearrange(cut, "clip frame channel row column y x -> clip frame (row column) (channel y x)")
        patches = self.patches(pixels.to(self.dtype))
        class_tokens = self.class_token.expand(*patches.shape[:2], 1, -1)
        stream = self.norm_pre(torch.cat([class_tokens, patches.float()], dim=2) + self.position_table)
        for block in self.blocks:
            stream = block(stream, platforms)
        final = self.norm_post(stream[:, :, 0])
        return torch.cat([final.mean(dim=1), (final @ self.projection).mean(dim=1)], dim=1)


class FastBlock(nn.Module):
    """One block.

    Args:
        block: what is converted.
        dtype: of the matrix products.
        prompts: of this block, one for each platform and one for nobody knows; None = it sees none.
        keep: it gives the first tokens only; None = all.
    """

    def __init__(
        self,
        block: ImageBlock,
        dtype: torch.dtype,
        prompts: Float[Tensor, "platform length dim"] | None,
        *,
        keep: int | None,
    ) -> None:
        super().__init__()
        attention, mlp, cross, intra = block.attention, block.mlp, block.cross_frame, block.intra_frame
        self.dtype, self.keep = dtype, keep
        self.norm_attention, self.norm_mlp = (deepcopy(norm) for norm in (block.norm_attention, block.norm_mlp))
        apart = [[attention.query, attention.key_value]] if keep is None else [[attention.query], [attention.key_value]]
        self.projections = nn.ModuleList(_together(linears, dtype) for linears in apart)
        self.out = _linear(attention.out.weight, attention.out.bias, dtype)
        self.cross = FastCrossFrameAdapter(cross, dtype) if cross is not None else None
        self.mlp = FastBottleneck(mlp.expand, mlp.activation, mlp.contract, dtype)
        self.intra = FastBottleneck(intra.down, intra.activation, intra.up, dtype) if intra is not None else None
        seen = None if prompts is None else nn.Parameter(attention.key_value(prompts).detach().to(dtype))
        self.prompt_key_value = seen

    def forward(
        self, tokens: Float[Tensor, "clip frame token dim"], platforms: Int[Tensor, " clip"]
    ) -> Float[Tensor, "clip frame kept dim"]:
        normed = self.norm_attention(tokens).to(self.dtype)
        kept = tokens[:, :, : self.keep].contiguous()
        mixed = kept + self._attend(normed, platforms)
        if self.cross is not None:
            mixed += self.cross(kept.to(self.dtype))
        out = mixed + self.mlp(self.norm_mlp(mixed).to(self.dtype))
        if self.intra is not None:
            out += self.intra(mixed.to(self.dtype))
        return out

    def _attend(
        self, normed: Float[Tensor, "clip frame token dim"], platforms: Int[Tensor, " clip"]
    ) -> Float[Tensor, "clip frame kept dim"]:
        clips, frames, _, dim = normed.shape
        if self.keep is None:
            query, key_value = self.projections[0](normed).split([dim, 2 * dim], dim=-1)
        else:
            query, key_value = self.projections[0](normed[:, :, : self.keep].contiguous()), self.projections[1](normed)
        key, value = _heads(key_value, 2)
        if self.prompt_key_value is not None:
            # UNKNOWN_PLATFORM, which is -1, is the last of them.
            prompt = self.prompt_key_value[platforms][:, None].expand(-1, frames, -1, -1)
            key, value = (
                torch.cat([own, seen], dim=2) for own, seen in zip((key, value), _heads(prompt, 2), strict=True)
            )
        mixed = functional.scaled_dot_product_attention(_heads(query, 1)[0], key, value)
        return self.out(rearrange(mixed, "(clip frame) head token inner -> clip frame token (head inner)", clip=clips))


class FastCrossFrameAdapter(nn.Module):
    """CFAA: four products instead of five."""

    def __init__(self, adapter: CrossFrameAdapter, dtype: torch.dtype) -> None:
        super().__init__()
        attention, up = adapter.attention, adapter.up
        self.down = _linear(adapter.down.weight, adapter.down.bias, dtype)
        self.packed = _together([attention.query, attention.key_value], dtype)
        weight, bias = (part.detach().double() for part in (up.weight, up.bias))
        self.up = _linear(weight @ attention.out.weight.double(), weight @ attention.out.bias.double() + bias, dtype)

    def forward(self, tokens: Float[Tensor, "clip frame token dim"]) -> Float[Tensor, "clip frame token dim"]:
        clips, _, length, _ = tokens.shape
        query, key, value = rearrange(
            self.packed(self.down(tokens)),
            "clip frame token (three head inner) -> three (clip token) head frame inner",
            three=3,
            inner=HEAD_WIDTH,
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.up(
            rearrange(mixed, "(clip token) head frame inner -> clip frame token (head inner)", clip=clips, token=length)
        )


class FastBottleneck(nn.Module):
    """Two products with a bend between them: the MLP, and IFA."""

    def __init__(self, first: nn.Linear, activation: nn.Module, second: nn.Linear, dtype: torch.dtype) -> None:
        super().__init__()
        self.is_quick = isinstance(activation, QuickGELU)
        scale = QUICK_SLOPE if self.is_quick else 1.0
        self.first = _linear(first.weight * scale, first.bias * scale, dtype)
        self.second = _linear(second.weight / scale, second.bias, dtype)

    def forward(self, tokens: Float[Tensor, "*any dim"]) -> Float[Tensor, "*any dim"]:
        wide = self.first(tokens)
        return self.second(functional.silu(wide, inplace=True) if self.is_quick else functional.gelu(wide))


def _heads(features: Float[Tensor, "clip frame token wide"], kinds: int) -> Float[Tensor, "kind flat head token inner"]:
    """Deal channels out to heads; keys and values, which are two kinds, lie one behind the other."""
    return rearrange(
        features,
        "clip frame token (kind head inner) -> kind (clip frame) head token inner",
        kind=kinds,
        inner=HEAD_WIDTH,
    )


def _prompts(encoder: VideoEncoder) -> list[Float[Tensor, "platform length dim"]]:
    """Give the prompts of each block that sees any: of all platforms, and behind them of UNKNOWN_PLATFORM, -1."""
    if encoder.platform_prompt is None:
        return []
    platforms = torch.tensor([*range(len(PLATFORMS)), UNKNOWN_PLATFORM])
    return list(encoder.platform_prompt(platforms).detach().unbind(dim=1))


def _together(linears: list[nn.Linear], dtype: torch.dtype) -> nn.Module:
    """Make one product of several that read the same tokens."""
    return _linear(torch.cat([one.weight for one in linears]), torch.cat([one.bias for one in linears]), dtype)


def _linear(weight: Float[Tensor, "out dim"], bias: Float[Tensor, " out"] | None, dtype: torch.dtype) -> nn.Module:
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    made.weight = nn.Parameter(weight.detach().to(dtype).contiguous(), requires_grad=False)
    if bias is not None:
        made.bias = nn.Parameter(bias.detach().to(dtype), requires_grad=False)
    in_order = weight.device.type == "cpu" and dtype == torch.bfloat16 and LinearInOrder.is_there()
    return LinearInOrder(made) if in_order else made


class LinearInOrder(nn.Module):
    """A linear map whose weights lie as oneDNN's products read them, which otherwise are put in order at every call.

    PyTorch's compiler does the same by these operators; a version without them computes as ever.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.bias = linear.bias
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight, _ROWS)

    @staticmethod
    def is_there() -> bool:
        """Whether PyTorch has the operators here, and the CPU computes so."""
        wanted = ("_is_mkldnn_bf16_supported", "_reorder_linear_weight", "_linear_pointwise")
        is_there = torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in wanted)
        return is_there and torch.ops.mkldnn._is_mkldnn_bf16_supported()

    def forward(self, rows: Float[Tensor, "*any dim"]) -> Float[Tensor, "*any out"]:
        return torch.ops.mkldnn._linear_pointwise(rows, self.weight, self.bias, "none", [], "")
