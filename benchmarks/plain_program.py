"""Both stages as the authors' program computes them: the side that `training.py` and `gpu.py` compare with.

Written from design texts (METHOD sections 2 to 6, SPEED); not their code. It keeps what costs: token-first layout and
PyTorch's packed attention, every token in the last block, prompts as queries, text of 77 positions once a clip and
again in every step, one optimizer group a tensor, one-hot targets made on the CPU, waits for the device in every step.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from skyreid.models.image_tower import ImageBlock
from skyreid.models.text_tower import TextBlock
from skyreid.models.transformer import SelfAttention
from skyreid.models.vsla_clip import VslaClip

POSITIONS = 77


class PackedAttention(nn.MultiheadAttention):
    """PyTorch's attention with the weights of ours."""

    def __init__(self, ours: SelfAttention) -> None:
        super().__init__(ours.out.in_features, ours.heads)
        self.load_state_dict(
            {
                "in_proj_weight": torch.cat([ours.query.weight, ours.key_value.weight]),
                "in_proj_bias": torch.cat([ours.query.bias, ours.key_value.bias]),
                "out_proj.weight": ours.out.weight,
                "out_proj.bias": ours.out.bias,
            }
        )
        self.requires_grad_(ours.out.weight.requires_grad)
        self.ours = [ours]
        """In a list, so that its parameters are not this module's."""


class Bend(nn.Module):
    """QuickGELU."""

    def forward(self, features: Tensor) -> Tensor:
        return features * torch.sigmoid(1.702 * features)


class Block(nn.Module):
    """Tokens first: [token, sequence, channel]."""

    def __init__(self, ours: ImageBlock | TextBlock) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = ours.norm_attention, ours.norm_mlp
        self.attention = PackedAttention(ours.attention)
        self.mlp = nn.Sequential(ours.mlp.expand, Bend(), ours.mlp.contract)
        if isinstance(ours, ImageBlock) and ours.intra_frame is not None and ours.cross_frame is not None:
            self.intra = nn.Sequential(ours.intra_frame.down, Bend(), ours.intra_frame.up)
            self.down, self.up = ours.cross_frame.down, ours.cross_frame.up
            self.across = PackedAttention(ours.cross_frame.attention)

    def forward(
        self, tokens: Tensor, *, frames: int = 0, prompt: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """`frames` of a clip with adapters, 0 without."""
        normed = self.norm_1(tokens)
        together = normed if prompt is None else torch.cat([normed, prompt])
        attended = self.attention(together, together, together, need_weights=False, attn_mask=mask)[0]
        mixed = tokens + attended[: len(tokens)]
        if frames:
            mixed = mixed + self.cross(tokens, frames)
        out = mixed + self.mlp(self.norm_2(mixed))
        return out + self.intra(mixed) if frames else out

    def cross(self, tokens: Tensor, frames: int) -> Tensor:
        narrow = self.down(tokens)
        count, sequences, width = narrow.shape
        clips = sequences // frames
        narrow = narrow.reshape(count, clips, frames, width).permute(2, 1, 0, 3).reshape(frames, clips * count, width)
        mixed = self.across(narrow, narrow, narrow, need_weights=False)[0]
        mixed = mixed.reshape(frames, clips, count, width).permute(2, 1, 0, 3).reshape(count, sequences, width)
        return self.up(mixed)


class PlainProgram(nn.Module):
    """The whole program around one of our models, whose weights it has or copies (packed ones).

    Args:
        model: after `train_in_stage2`.
    """

    def __init__(self, model: VslaClip) -> None:
        super().__init__()
        self.model = [model]
        tower, text = model.encoder.tower, model.text_tower
        self.patches, self.norm_pre, self.norm_post = tower.patches, tower.norm_pre, tower.norm_post
        self.class_token, self.positions, self.projection = tower.class_token, tower.position_table, tower.projection
        self.blocks = nn.ModuleList(Block(block) for block in tower.blocks)  # pyright: ignore[reportArgumentType]
        prompt = model.encoder.platform_prompt
        self.prompts = prompt.prompts if prompt is not None else None
        self.heads = nn.ModuleList(model.heads.values())
        self.text_blocks = nn.ModuleList(Block(block) for block in text.blocks)  # pyright: ignore[reportArgumentType]
        self.text_positions, self.text_norm, self.text_projection = (
            text.position_table,
            text.norm_final,
            text.projection,
        )
        self.register_buffer("mask", torch.full((POSITIONS, POSITIONS), -torch.inf).triu(1))

    def encode(self, frames: Tensor, platforms: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Clips to x11, x12 and xproj; without `platforms`, the bare tower."""
        clips, length = frames.shape[:2]
        patches = self.patches(frames.flatten(0, 1)).flatten(2).permute(0, 2, 1)
        classes = self.class_token + torch.zeros(
            clips * length, 1, patches.shape[2], dtype=patches.dtype, device=patches.device
        )
        tokens = self.norm_pre(torch.cat([classes, patches], 1) + self.positions).permute(1, 0, 2)
        prompts = None
        if platforms is not None and self.prompts is not None:
            # [layer, length, clip and frame, channel]: repeated over frames for all layers before the first.
            prompts = self.prompts[platforms].permute(1, 2, 0, 3).repeat_interleave(length, dim=2)
        penultimate = tokens
        for layer, block in enumerate(self.blocks):
            penultimate = tokens
            prompt = prompts[layer] if prompts is not None and layer < len(prompts) else None
            tokens = block(tokens, frames=length if platforms is not None else 0, prompt=prompt)
        final = self.norm_post(tokens.permute(1, 0, 2))
        joint = final @ self.projection
        firsts = (penultimate.permute(1, 0, 2)[:, 0], final[:, 0], joint[:, 0])
        return tuple(first.reshape(clips, length, -1).mean(1) for first in firsts)  # pyright: ignore[reportReturnType]

    def text(self, labels: Tensor) -> Tensor:
        """One sentence of 77 positions a clip."""
        sentences = self.model[0].identity_prompt(labels)
        end = sentences.shape[1] - 1
        padding = sentences.new_zeros(len(labels), POSITIONS - sentences.shape[1], sentences.shape[2])
        tokens = (torch.cat([sentences, padding], 1) + self.text_positions).permute(1, 0, 2)
        for block in self.text_blocks:
            tokens = block(tokens, mask=self.mask)
        return self.text_norm(tokens.permute(1, 0, 2))[:, end] @ self.text_projection

    def stage2_loss(self, frames: Tensor, platforms: Tensor, labels: Tensor, every_text: Tensor) -> Tensor:
        _, final, joint = features = self.encode(frames, platforms)
        with torch.no_grad():
            texts = self.text(labels)
        scores = [head(feature) for head, feature in zip(self.heads, (final, joint), strict=True)]
        loss = 0.25 * sum(smoothed(score, labels) for score in scores)
        loss = loss + sum(triplet(feature, labels) for feature in features)
        loss = loss + smoothed(joint @ every_text.T, labels)
        return loss + contrast(joint, texts, labels) + contrast(texts, joint, labels)

    def stage1_loss(self, features: Tensor, labels: Tensor) -> Tensor:
        texts = self.text(labels)
        return contrast(features, texts, labels) + contrast(texts, features, labels)

    def trained_in_stage2(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def gradients(self) -> dict[str, Tensor]:
        """Gradients of the last step under the names of our parameters; packed ones taken apart."""
        names = {id(parameter): name for name, parameter in self.model[0].named_parameters()}
        found = {
            names[id(parameter)]: parameter.grad
            for parameter in self.parameters()
            if parameter.grad is not None and id(parameter) in names
        }
        for packed in self.modules():
            if isinstance(packed, PackedAttention) and packed.in_proj_weight.grad is not None:
                ours, width = packed.ours[0], packed.embed_dim
                for kind in ("weight", "bias"):
                    whole = getattr(packed, f"in_proj_{kind}").grad
                    found[names[id(getattr(ours.query, kind))]] = whole[:width]
                    found[names[id(getattr(ours.key_value, kind))]] = whole[width:]
                    found[names[id(getattr(ours.out, kind))]] = getattr(packed.out_proj, kind).grad
        return found


def one_group_a_tensor(parameters: list[nn.Parameter], rate: float) -> torch.optim.Adam:
    return torch.optim.Adam([{"params": [parameter], "weight_decay": 2.5e-4} for parameter in parameters], lr=rate)


def smoothed(scores: Tensor, labels: Tensor) -> Tensor:
    """Label smoothing by a one-hot that the CPU makes."""
    count = scores.shape[1]
    one_hot = torch.zeros(scores.shape).scatter_(1, labels.unsqueeze(1).cpu(), 1).to(scores.device)
    return (-(0.9 * one_hot + 0.1 / count) * scores.log_softmax(1)).mean(0).sum()


def triplet(features: Tensor, labels: Tensor) -> Tensor:
    normed = functional.normalize(features.float())
    distance = -(normed @ normed.T)
    same = labels[:, None] == labels[None]
    nearest = distance.masked_fill(same, 1.0).amin(1)
    return (distance.masked_fill(~same, -torch.inf).amax(1) - nearest + 0.3).relu().mean()


def contrast(rows: Tensor, columns: Tensor, labels: Tensor) -> Tensor:
    same = (labels[:, None] == labels[None]).float()
    likely = (rows @ columns.T).float().log_softmax(1)
    return -((likely * same).sum(1) / same.sum(1)).mean()
