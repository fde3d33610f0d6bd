"""A CLIP on torch's own attention, with OpenAI's names: what the importers' towers are compared with."""

from collections import OrderedDict

import torch
from torch import nn

VOCABULARY = 49408
WIDTH, EMBED, LAYERS, PATCH, SIDE, CONTEXT = 64, 32, 2, 16, 32, 77


class Gelu(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(WIDTH, WIDTH // 64)
        self.ln_1 = nn.LayerNorm(WIDTH)
        layers = [("c_fc", nn.Linear(WIDTH, 4 * WIDTH)), ("gelu", Gelu()), ("c_proj", nn.Linear(4 * WIDTH, WIDTH))]
        self.mlp = nn.Sequential(OrderedDict(layers))
        self.ln_2 = nn.LayerNorm(WIDTH)

    def forward(self, x, mask=None):
        h = self.ln_1(x)
        x = x + self.attn(h, h, h, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.resblocks = nn.ModuleList(Block() for _ in range(LAYERS))

    def forward(self, x, mask=None):
        for block in self.resblocks:
            x = block(x, mask)
        return x


class Visual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(WIDTH))
        self.positional_embedding = nn.Parameter(torch.empty((SIDE // PATCH) ** 2 + 1, WIDTH))
        self.ln_pre = nn.LayerNorm(WIDTH)
        self.transformer = Transformer()
        self.ln_post = nn.LayerNorm(WIDTH)
        self.proj = nn.Parameter(torch.empty(WIDTH, EMBED))

    def forward(self, x):
        x = self.conv1(x).flatten(2).permute(2, 0, 1)
        x = torch.cat([self.class_embedding.expand(1, x.shape[1], WIDTH), x])
        x = self.ln_pre(x + self.positional_embedding[:, None])
        return self.ln_post(self.transformer(x)[0]) @ self.proj


class ReferenceClip(nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = Visual()
        self.transformer = Transformer()
        self.token_embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.positional_embedding = nn.Parameter(torch.empty(CONTEXT, WIDTH))
        self.ln_final = nn.LayerNorm(WIDTH)
        self.text_projection = nn.Parameter(torch.empty(WIDTH, EMBED))
        self.logit_scale = nn.Parameter(torch.empty(()))
        for name, value in (("input_resolution", SIDE), ("context_length", CONTEXT), ("vocab_size", VOCABULARY)):
            self.register_buffer(name, torch.tensor(value))

    def encode_text(self, tokens):
        x = (self.token_embedding(tokens) + self.positional_embedding[: tokens.shape[1]]).permute(1, 0, 2)
        mask = torch.full((len(x), len(x)), float("-inf")).triu(1)
        x = self.ln_final(self.transformer(x, mask)).permute(1, 0, 2)
        return x[torch.arange(len(x)), tokens.argmax(dim=-1)] @ self.text_projection

    def forward(self, frames, tokens):
        return self.visual(frames), self.encode_text(tokens)


def make_reference_clip() -> ReferenceClip:
    """Every parameter random, so that a missing bias or a swapped pair shows."""
    clip = ReferenceClip().eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(5)
    for name, parameter in clip.named_parameters():
        is_scale = "ln_" in name and name.endswith("weight")
        scale = 0.1 if parameter.ndim < 2 or "mb" in name else 0.5 * parameter.shape[-1] ** -0.5
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale + is_scale)
    return clip
