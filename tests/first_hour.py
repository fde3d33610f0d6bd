"""The desk of somebody who begins: the files that README and docs/python.md name, made small."""

import numpy as np
import torch
from PIL import Image

from tests.building.films import smooth, write_film
from tests.datasets.miniature_trees import write_g2a
from tests.reference.micro_weights import micro_release_state

_FRAMES = 16


def lay_out(folder):
    """Write two annotated videos, weights as the authors publish them, crops of two people, and a G2A-VReID of two."""
    for name, people in (("gate", (4, 9)), ("drone", (9, 30))):
        write_film(folder / f"{name}.mov", smooth(_FRAMES))
        rows = [
            f"{index + 1},{person},{10 * order + index % 10 + 1},11,12,30,1,1,1"
            for index in range(_FRAMES)
            for order, person in enumerate(people)
        ]
        (folder / f"{name}.txt").write_text("\n".join(rows))
    published = micro_release_state()
    torch.save(published, folder / "ViT-B-16_120.pth")
    torch.save({name: 1.1 * t if t.is_floating_point() else t for name, t in published.items()}, folder / "mine.pth")
    drawn = np.random.default_rng(0)
    for person, count in (("ada", 5), ("ben", 12)):
        (folder / "crops" / person).mkdir(parents=True)
        for number in range(count):
            size = (int(drawn.integers(30, 60)), int(drawn.integers(12, 25)), 3)
            picture = Image.fromarray(drawn.integers(0, 256, size, dtype=np.uint8))
            picture.save(folder / "crops" / person / f"{number:04d}.png")
    (folder / "data/g2a").mkdir(parents=True)
    write_g2a(folder / "data/g2a")
