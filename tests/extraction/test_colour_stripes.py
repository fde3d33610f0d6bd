"""Plain colour as an embedding."""

import numpy as np
from PIL import Image

from skyreid.datasets.protocol import GROUND_TO_AERIAL
from skyreid.evaluation.ranking_scores import evaluate
from skyreid.extraction.colour_stripes import STRIPES, embed_colours
from skyreid.tracklet import Frame, Platform, Tracklet

RED, BLUE, GREEN, GREY = (200, 30, 30), (30, 30, 200), (30, 160, 30), (120, 120, 120)
LOOKS = [(RED, BLUE), (BLUE, RED), (GREEN, GREY), (GREY, GREEN)]


def dressed(folder, pid: int, platform: Platform, gain: float) -> Tracklet:
    """A picture of two colours, upper and lower half, under a light of that strength."""
    upper, lower = LOOKS[pid - 1]
    picture = np.zeros((60, 30, 3), np.uint8)
    picture[:30], picture[30:] = np.multiply(upper, gain), np.multiply(lower, gain)
    path = folder / f"{pid}-{platform}.png"
    Image.fromarray(picture).save(path)
    return Tracklet(
        tracklet_id=path.stem, frames=(Frame(str(path)),), pid=pid, camid=platform.number, platform=platform
    )


def test_clothes_are_found_again_in_another_light(tmp_path):
    query, gallery = (
        embed_colours([dressed(tmp_path, pid, platform, gain) for pid in (1, 2, 3, 4)])
        for platform, gain in ((Platform.GROUND, 1.0), (Platform.AERIAL, 0.6))
    )
    assert query.embeddings.shape == (4, 3 * STRIPES)
    assert evaluate(query, gallery, GROUND_TO_AERIAL).mAP == 1.0


def test_each_platform_is_standardised_by_itself(tmp_path):
    lights = {Platform.GROUND: 0.6, Platform.AERIAL: 1.0}
    table = embed_colours([dressed(tmp_path, pid, where, lights[where]) for where in Platform for pid in (1, 2, 3)])
    for platform in Platform:
        assert np.abs(table.embeddings[table.platforms == platform.number].mean(axis=0)).max() < 1e-5
