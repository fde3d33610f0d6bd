"""A step of stage 1 at true size, beside what the authors' program computes.

    OMP_NUM_THREADS=1 python benchmarks/towers.py

What embeds is timed by embedding.py. Our text tower runs over 23 positions, once per identity, with frozen weights; the
other side runs over 77 positions, once per clip, and computes gradients of weights that never change.
The limit is the matrix product that this machine does in the same precision.
"""

import sys
import time
from collections.abc import Callable

import torch

from skyreid.losses import image_text_logits, supervised_contrastive
from skyreid.models.image_tower import ImageTowerConfig
from skyreid.models.vsla_clip import VslaClip, VslaClipConfig
from skyreid.training.stage1 import stage1_losses

ROUNDS = 5


def seconds(run: Callable[[], object]) -> float:
    """CPU seconds of the quickest of several runs: the least disturbed one."""
    run()
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def gemm_peak() -> float:
    """Floating-point operations a CPU second in a large matrix product."""
    size = 1536
    left, right = torch.randn(size, size), torch.randn(size, size)
    return 2 * size**3 / seconds(lambda: left @ right)


def stage1_step(peak: float) -> None:
    model = VslaClip(VslaClipConfig(image=ImageTowerConfig(layers=2)), num_identities=64)
    features, labels = torch.randn(64, 512), torch.arange(16).repeat_interleave(4)

    def ours() -> None:
        model.train_in_stage1()
        torch.stack([*stage1_losses(model, features, labels, None).values()]).sum().backward()

    def as_released() -> None:
        model.requires_grad_(True)
        sentences = model.identity_prompt(labels)
        padding = torch.zeros(len(labels), 77 - sentences.shape[1], sentences.shape[2])
        tokens = torch.cat([sentences, padding], dim=1) + model.text_tower.position_table
        for block in model.text_tower.blocks:
            tokens = block(tokens)
        texts = model.text_tower.norm_final(tokens[:, sentences.shape[1] - 1]) @ model.text_tower.projection
        logits = image_text_logits(features, texts, cosine_temperature=None)
        loss = supervised_contrastive(logits, labels, labels) + supervised_contrastive(logits.T, labels, labels)
        loss.backward()

    mine, theirs = seconds(ours), seconds(as_released)
    width, layers = model.config.text.width, model.config.text.layers
    flops = 2 * 2.0 * 16 * 23 * layers * 12 * width**2  # forward, and backward without weight gradients
    print(f"a step of stage 1:   {mine:6.2f} CPU-s, as released {theirs:6.2f}, ratio {theirs / mine:4.2f}; ", end="")
    print(f"{flops / mine / peak:.0%} of the matrix-product peak (64 clips of 16 identities)")


def main() -> int:
    torch.manual_seed(0)
    peak = gemm_peak()
    print(f"matrix product: {peak / 1e9:.0f} GFLOP per CPU second, {torch.get_num_threads()} threads")
    stage1_step(peak)
    return 0


if __name__ == "__main__":
    sys.exit(main())
