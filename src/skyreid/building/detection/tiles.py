"""Small people in large frames: a detector sees overlapping tiles beside the whole frame, one box a person.

A frame of 3072 pixels becomes a picture of 416, in which somebody of 72 pixels keeps 10. So the frame is cut into tiles
that are searched like frames. Neighbours overlap by more than a person, so that whoever the edge of one tile cuts is
whole in the next; the whole frame stays among the views, for people who are larger than a tile's overlap.

How large a tile is follows from how high people are in the picture (`side_for`): told, or measured on some frames.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, UInt8
from scipy.sparse.csgraph import connected_components

from skyreid.building.detection.detector import Detector, strongest
from skyreid.building.detection.families import Boxes, Scores
from skyreid.building.video.decode import DecodeLimits, VideoFacts, frames

# How large a tile is.
GOOD_HEIGHT = 40.0
"""Pixels of the detector's picture that a person should have. Measured with YOLOX-Nano: on football from a stand, tiles
that show people at 36 pixels find nearly as many as tiles four times as many that show them at 72; simulated people
from a drone are found at 40, hardly at 20."""
ENOUGH_HEIGHT = 32.0
"""Pixels of the detector's picture from which on the whole frame will do. Measured with YOLOX-Nano on simulated people
before still cameras: at 24 the whole frame finds 70 % and tiles 94 %, at 36 they find 91 and 97 %."""
MAX_SHRUNK = 1.6
"""A frame whose longer side is at most so many times that of the detector's picture is searched whole."""
MAX_ENLARGED = 2.0
"""A tile is enlarged at most so much: pixels that were not filmed tell nothing."""
MAX_TILES = 64
"""Of a frame; for people who are smaller still, tiles are larger than would be good."""
NUM_LOOKS, MIN_LOOKS = 8, 3
"""Frames, evenly over the film, that are looked at for the height of people, until enough are seen."""
ENOUGH_PEOPLE, MIN_PEOPLE = 12, 3
"""Confident boxes in those frames after which the height is known, and without which nobody can tell."""
CONFIDENT = 0.5
"""Of the detector's score."""


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """How the frames of a film are searched."""

    side: int | None
    """Longer side of the tiles, in pixels of the frame; None = the whole frame alone."""
    because: str
    """In words, for the report of a build."""


def tiling_of(path: Path, facts: VideoFacts, detector: Detector, *, limits: DecodeLimits) -> Tiling:
    """Decide how a film is searched: as the detector was told, else by how high people are in some of its frames.

    Raises:
        CheckpointError: what the detector's file gives cannot be boxes of its kind.
        VideoError: the video cannot be decoded.
    """
    if detector.tiles == "none":
        return Tiling(side=None, because="people are searched in whole frames, as was asked")
    shape = detector.picture_size(facts.height, facts.width)
    if isinstance(detector.tiles, int):
        return _told(detector.tiles, facts, shape, "as was asked")
    if max(facts.height, facts.width) <= MAX_SHRUNK * max(shape):
        return Tiling(
            side=None, because="people are searched in whole frames, which the detector sees nearly as filmed"
        )
    heights = np.array(_heights(path, facts, detector, limits=limits))
    if len(heights) < MIN_PEOPLE:
        return Tiling(
            side=None,
            because=f"people are searched in whole frames: hardly anybody was seen in {NUM_LOOKS} frames looked at for "
            "how high people are; tiles=PIXELS of --detector searches in tiles all the same",
        )
    height = float(np.median(heights))
    side = side_for(height, facts.height, facts.width, shape)
    if side is None:
        return Tiling(side=None, because=f"people are searched in whole frames, {height:.0f} pixels high in the median")
    return _told(side, facts, shape, f"since people are {height:.0f} pixels high in the median")


def side_for(person_px: float, height: int, width: int, shape: tuple[int, int]) -> int | None:
    """Choose the side of tiles for people of this height in the frame; None = the whole frame will do.

    Args:
        person_px: expected height of a person, in pixels of the frame.
        height: of the frame.
        width: of the frame.
        shape: (height, width) of the detector's picture.
    """
    shrunk = max(height / shape[0], width / shape[1])
    if person_px >= ENOUGH_HEIGHT * shrunk:
        return None
    side = round(max(person_px / GOOD_HEIGHT, 1 / MAX_ENLARGED) * max(shape))
    side = _affordable(side, height, width, shape)
    return side if tile_views(height, width, side, shape) else None


def _affordable(side: int, height: int, width: int, shape: tuple[int, int]) -> int:
    """Enlarge tiles until a frame has no more than MAX_TILES."""
    while len(tile_views(height, width, side, shape)) > MAX_TILES:
        side = round(1.05 * side)
    return side


def _told(side: int, facts: VideoFacts, shape: tuple[int, int], why: str) -> Tiling:
    number = len(tile_views(facts.height, facts.width, side, shape))
    if not number:
        return Tiling(side=None, because=f"people are searched in whole frames: a tile of {side} pixels holds one")
    return Tiling(side=side, because=f"people are searched in {number} tiles of {side} pixels beside each frame, {why}")


def _heights(path: Path, facts: VideoFacts, detector: Detector, *, limits: DecodeLimits) -> list[float]:
    """Of people whom the detector is sure of, in pixels.

    Tiles are seen as they were filmed; where those show hardly anybody, enlarged ones may show more.
    """
    looks_s = (facts.duration_s or NUM_LOOKS) / NUM_LOOKS
    shape = detector.picture_size(facts.height, facts.width)
    as_filmed, enlarged = (
        _affordable(round(max(shape) / by), facts.height, facts.width, shape) for by in (1, MAX_ENLARGED)
    )
    min_score = max(CONFIDENT, detector.score)
    heights: list[float] = []
    for number, frame in enumerate(frames(path, interval_s=looks_s, limits=limits), start=1):
        boxes, _ = find_in_tiles(detector, frame.pixels, side=as_filmed, min_score=min_score)
        if len(boxes) < MIN_PEOPLE and enlarged < as_filmed:
            closer, _ = find_in_tiles(detector, frame.pixels, side=enlarged, min_score=min_score)
            boxes = max(boxes, closer, key=len)
        heights += (boxes[:, 3] - boxes[:, 1]).tolist()
        if number >= MIN_LOOKS and len(heights) >= ENOUGH_PEOPLE:
            break
    return heights


# What a tile is, and how a frame is seen in tiles.
@dataclass(frozen=True, slots=True)
class View:
    """A part of the frame that the detector sees as a picture of its own, in pixels of the frame."""

    left: int
    top: int
    right: int
    bottom: int


OVERLAP = 0.25
"""Of a tile's sides, shared with its neighbour; 2.5 times the person for whom YOLOX-Nano's tiles are chosen."""


def tile_views(height: int, width: int, side: int, shape: tuple[int, int]) -> list[View]:
    """Cover a frame with overlapping tiles, evenly, row by row; none where one tile would be the frame.

    Args:
        height: of the frame.
        width: of the frame.
        side: the longer side of a tile, in pixels of the frame.
        shape: (height, width) of the detector's picture, whose proportions a tile has.
    """
    tile_height, tile_width = (max(1, round(side * of / max(shape))) for of in shape)
    if tile_height >= height and tile_width >= width:
        return []
    rows, columns = _starts(height, tile_height), _starts(width, tile_width)
    return [
        View(left, top, min(left + tile_width, width), min(top + tile_height, height))
        for top in rows
        for left in columns
    ]


def _starts(length: int, tile: int) -> list[int]:
    if tile >= length:
        return [0]
    number = 1 + int(np.ceil((length - tile) / max(1.0, tile * (1 - OVERLAP))))
    return [round(start) for start in np.linspace(0, length - tile, number)]


def find_in_tiles(
    detector: Detector, pixels: UInt8[np.ndarray, "height width 3"], *, side: int | None, min_score: float
) -> tuple[Boxes, Scores]:
    """Boxes of people in an RGB frame and their scores, as `Detector.find` gives them, seen in tiles of this side too.

    Args:
        detector: who looks.
        pixels: of the frame.
        side: the longer side of a tile in pixels of the frame; None = the frame is seen as a whole only.
        min_score: of the boxes.

    Raises:
        CheckpointError: what the detector's file gives cannot be boxes of its kind.
    """
    height, width = pixels.shape[:2]
    tiles = [] if side is None else tile_views(height, width, side, detector.picture_size(height, width))
    views = [View(0, 0, width, height), *tiles]
    pictures = (pixels[view.top : view.bottom, view.left : view.right] for view in views)
    found = list(detector.find_each(pictures, min_score=min_score))
    if not tiles:
        return found[0]
    boxes = [seen + np.tile((view.left, view.top), 2) for view, (seen, _) in zip(views, found, strict=True)]
    cut = [_cut_by(view, seen, width=width, height=height) for view, seen in zip(views, boxes, strict=True)]
    scores = [sure for _, sure in found]
    return one_box_each(found[0], np.concatenate(boxes[1:]), np.concatenate(scores[1:]), np.concatenate(cut[1:]))


# One box a person, of those that all views gave.
SAME_PERSON = 0.5
"""IoU above which two whole boxes, also of different views, are of one person: the weaker one goes."""
PART_OF = 0.6
"""Share of a cut box inside a whole one from which on it is a part of that person."""
INSTEAD = 0.4
"""Share of a tile's box inside one of the whole frame's from which on the tile's is taken instead: in few pixels two
people who stand close together are one vague box across both."""
COMPARABLE = 0.25
"""Area of that tile's box over the other's; what is smaller is somebody far behind."""
HALVES = 0.5
"""IoU along the cutting edge of two cut boxes that are halves of one person."""
EDGE = 0.02
"""Of a tile's side: nearer than this to an inner edge, a box is cut by it; detectors end a box early there."""


def _cut_by(view: View, boxes: Boxes, *, width: int, height: int) -> Bool[np.ndarray, "box 4"]:
    """Which sides of the boxes a view's inner edges cut: left, top, right, bottom."""
    edges = np.array([view.left, view.top, view.right, view.bottom])
    is_inner = edges != np.array([0, 0, width, height])
    near = EDGE * max(view.right - view.left, view.bottom - view.top)
    return is_inner & (np.abs(boxes - edges) <= near)


def one_box_each(
    of_frame: tuple[Float64[np.ndarray, "seen 4"], Float64[np.ndarray, " seen"]],
    boxes: Boxes,
    scores: Scores,
    cut: Bool[np.ndarray, "box 4"],
) -> tuple[Float64[np.ndarray, "person 4"], Float64[np.ndarray, " person"]]:
    """Suppress what is seen twice, the surest first, and put the halves of people together.

    A box that an edge cuts goes where it lies in a whole one. Otherwise it is joined with what another tile shows
    of the same person beyond that edge, and a half without its other half goes: the neighbour saw the place too, and
    nobody there.

    Args:
        of_frame: what the whole frame shows: boxes, xyxy in its pixels, and their scores.
        boxes: of all tiles, in pixels of the frame.
        scores: of the tiles' boxes.
        cut: which sides of each box an inner edge of its tile cuts.
    """
    whole = np.flatnonzero(~cut.any(axis=1))
    whole = whole[strongest(boxes[whole], scores[whole], SAME_PERSON)]
    instead = _share_inside(boxes[whole], of_frame[0]) >= INSTEAD
    instead &= _areas(boxes[whole])[:, None] >= COMPARABLE * _areas(of_frame[0])
    left = ~instead.any(axis=0)
    sure = np.concatenate([boxes[whole], of_frame[0][left]]), np.concatenate([scores[whole], of_frame[1][left]])
    parts = np.flatnonzero(cut.any(axis=1))
    parts = parts[(_share_inside(boxes[parts], sure[0]) < PART_OF).all(axis=1)]
    joined = _joined(boxes[parts], scores[parts], cut[parts])
    boxes, scores = (np.concatenate(both) for both in zip(sure, joined, strict=True))
    kept = strongest(boxes, scores, SAME_PERSON)
    return boxes[kept], scores[kept]


def _joined(
    boxes: Boxes, scores: Scores, cut: Bool[np.ndarray, "box 4"]
) -> tuple[Float64[np.ndarray, "person 4"], Float64[np.ndarray, " person"]]:
    """Unite boxes that continue each other over an edge; what continues nothing is left out."""
    continues = np.zeros((len(boxes), len(boxes)), bool)
    for axis in (0, 1):
        across = 1 - axis
        # [first, second]: the first is cut at its far side, the second at its near side, and they meet.
        starts, ends = boxes[:, axis], boxes[:, axis + 2]
        meet = (ends[:, None] >= starts) & (starts[:, None] <= starts)
        starts, ends = boxes[:, across], boxes[:, across + 2]
        shared = np.minimum(ends[:, None], ends) - np.maximum(starts[:, None], starts)
        together = np.maximum(ends[:, None], ends) - np.minimum(starts[:, None], starts)
        continues |= cut[:, axis + 2, None] & cut[:, axis] & meet & (shared >= HALVES * together)
    number, groups = connected_components(continues, directed=False)
    members = [np.flatnonzero(groups == group) for group in range(number)]
    members = [places for places in members if len(places) > 1]
    united = np.array([np.concatenate([boxes[m, :2].min(axis=0), boxes[m, 2:].max(axis=0)]) for m in members]).reshape(
        -1, 4
    )
    best = np.array([float(scores[m].max()) for m in members])
    # Further tiles may show slivers of the same person, which continue each other too.
    is_part = _share_inside(united, united) >= PART_OF
    is_part &= _areas(united)[:, None] < _areas(united)
    kept = ~is_part.any(axis=1)
    return united[kept], best[kept]


def _share_inside(
    parts: Float64[np.ndarray, "part 4"], wholes: Float64[np.ndarray, "whole 4"]
) -> Float64[np.ndarray, "part whole"]:
    """Share of each part's area that lies in each whole box."""
    low = np.maximum(parts[:, None, :2], wholes[None, :, :2])
    high = np.minimum(parts[:, None, 2:], wholes[None, :, 2:])
    return np.clip(high - low, 0, None).prod(axis=2) / _areas(parts)[:, None]


def _areas(boxes: Boxes) -> Float64[np.ndarray, " box"]:
    return (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
