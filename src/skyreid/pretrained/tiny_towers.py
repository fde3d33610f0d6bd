"""The small CLIP that comes with the package; its card lies beside the weights."""

from pathlib import Path

TINY_TOWERS = Path(__file__).with_name("tiny_towers_weights")
"""A checkpoint folder, made by `skyreid model pretrain`. It knows simulated people only."""
