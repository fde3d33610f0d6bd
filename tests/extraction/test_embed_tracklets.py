"""Tracklets to a table, against one clip at a time read by hand."""

import re

import numpy as np
import pytest
import torch
from PIL import Image

from skyreid.errors import MissingFrameError
from skyreid.extraction.embed_tracklets import ExtractionConfig, embed_tracklets
from skyreid.feeding import IMAGENET
from skyreid.processes.distributed import Processes
from skyreid.tracklet import Frame, Platform, Tracklet
from tests.tiny_model import IMAGE_SIZE

TABLE_ARRAYS = ("pids", "camids", "platforms", "tracklet_ids")


@pytest.fixture(scope="module")
def embed(model):
    processes = Processes(device="cpu", precision="float32")

    def run(tracklets, **settings):
        progress = settings.pop("progress", lambda *_: None)
        speed = {name: settings.pop(name) for name in ("batch_size", "threads") if name in settings}
        feeding = ExtractionConfig(**{"clip_length": 4, **settings}).feeding_of(model.encoder)
        return embed_tracklets(model.encoder, tracklets, processes, feeding, **speed, progress=progress)

    return run


def embed_by_hand(model, tracklet, positions):
    """One clip, from the files to its embedding."""
    height, width = IMAGE_SIZE
    frames = []
    for position in positions:
        image = Image.open(tracklet.frames[position].path).resize((width, height), Image.Resampling.BICUBIC)
        pixels = torch.tensor(np.array(image), dtype=torch.float64) / 255
        normed = (pixels - torch.tensor(IMAGENET.mean)) / torch.tensor(IMAGENET.std)
        frames.append(normed.float().permute(2, 0, 1))
    platform = torch.tensor([0 if tracklet.platform is Platform.GROUND else 1])
    return model.encoder.embed(torch.stack(frames)[None], platform)[0].numpy()


def test_the_rows_have_the_order_and_the_facts_of_the_tracklets(embed, tracklets):
    table = embed(tracklets)
    assert table.tracklet_ids.tolist() == ["t9", "t8", "t7", "t6", "t5"]
    assert table.pids.tolist() == [0, 10, 20, 30, 40]
    assert table.camids.tolist() == [0, 1, 2, 0, 1]
    assert table.platforms.tolist() == [0, 1, 0, 1, 0]
    assert embed(tracklets[::-1]).tracklet_ids.tolist() == table.tracklet_ids.tolist()[::-1]


def test_one_clip_is_the_first_frame_of_each_of_equal_blocks(embed, model, tracklets):
    taken = [[0, 1, 2, 3], [0, 0, 0, 0], [0, 2, 4, 6], [0, 1, 2, 2], [0, 2, 4, 6]]
    expected = [embed_by_hand(model, *clip) for clip in zip(tracklets, taken, strict=True)]
    np.testing.assert_allclose(embed(tracklets).embeddings, expected, rtol=1e-4, atol=1e-5)


def test_all_frames_is_the_mean_over_clips_that_hold_every_frame(embed, model, tracklets):
    taken = [
        [[0, 2, 3, 4], [1, 2, 3, 4]],
        [[0, 0, 0, 0]],
        [[0, 2, 4, 6], [1, 3, 5, 7]],
        [[0, 1, 2, 2]],
        [[0, 3, 6, 8], [1, 4, 7, 9], [2, 5, 8, 9]],
    ]
    expected = [
        np.mean([embed_by_hand(model, tracklet, positions) for positions in clips], axis=0)
        for tracklet, clips in zip(tracklets, taken, strict=True)
    ]
    found = embed(tracklets, sampling="all-frames").embeddings
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sampling", ["one-clip", "all-frames"])
def test_batch_size_and_threads_change_nothing(embed, tracklets, sampling):
    one_by_one = embed(tracklets, sampling=sampling, batch_size=1, threads=1)
    for batch_size, threads in ((2, 1), (3, 4), (100, 2)):
        other = embed(tracklets, sampling=sampling, batch_size=batch_size, threads=threads)
        np.testing.assert_allclose(other.embeddings, one_by_one.embeddings, rtol=1e-4, atol=1e-5)
        for name in TABLE_ARRAYS:
            assert getattr(other, name).tolist() == getattr(one_by_one, name).tolist()


def test_a_second_extraction_gives_the_same_bits(embed, tracklets):
    assert np.array_equal(embed(tracklets).embeddings, embed(tracklets).embeddings)


def test_no_tracklets_give_an_empty_table(embed):
    table = embed([])
    assert len(table) == 0
    assert table.embeddings.shape == (0, 160)


def test_a_missing_frame_is_named_and_nothing_is_shortened(embed, tracklets):
    frames = (*tracklets[0].frames[:2], Frame("gone.png"), *tracklets[0].frames[3:])
    cut = Tracklet(tracklet_id="cut", frames=frames, pid=1, camid=0, platform=Platform.GROUND)
    with pytest.raises(MissingFrameError, match=re.escape("gone.png: is missing")):
        embed([tracklets[1], cut])


def test_whoever_waits_is_told_of_every_batch(embed, tracklets):
    reports = []
    embed(tracklets, batch_size=2, progress=lambda *report: reports.append(report))
    assert reports == [("embedding", 1, 3), ("embedding", 2, 3), ("embedding", 3, 3)]
