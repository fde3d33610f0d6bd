"""Everybody whom a build found: where and when each was seen, who resembles whom, and which sightings are one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from skyreid.datasets.manifest import Manifest, read_built_folder
from skyreid.errors import TableError
from skyreid.retrieval.embedding_table import TABLE_FILE, EmbeddingTable, load_table
from skyreid.retrieval.manifest_agreement import check_same_pictures
from skyreid.retrieval.search import most_similar
from skyreid.retrieval.sighting import Sighting, find_sighting, find_videos
from skyreid.tracklet import Tracklet

SAME_SIMILARITY = 0.9
"""Two sightings of one camera that resemble each other as much as this are one person who was lost for a moment..."""
SAME_PAUSE_S = 10.0
"""...if no more than these seconds lie between them."""
_ROWS_PER_BLOCK = 256


@dataclass(frozen=True, slots=True)
class Resembling:
    """Somebody elsewhere who may be the same person; a similarity is not an identification."""

    row: int
    similarity: float
    """Cosine, -1 to 1."""


@dataclass(frozen=True, kw_only=True)
class Everybody:
    """All tracklets of a folder, by camera and time."""

    manifest: Manifest
    tracklets: tuple[Tracklet, ...]
    sightings: tuple[Sighting, ...]
    """Of the tracklets, in their order."""
    videos: dict[str, Path]
    """The footage that is at hand, by the name of the source."""
    resembling: tuple[tuple[Resembling, ...], ...] | None
    """By tracklet, who resembles it most on the other platform, or before other cameras where there is one platform
    only; None = no table of embeddings lies there."""
    stands_for: tuple[int, ...]
    """By tracklet, the row of the one that stands for it: its own, or a longer sighting that is nearly the same."""
    seen_unmasked: bool
    """Whether the embeddings know people before their faces were covered."""


def read_everybody(
    folder: Path, *, table: Path | None = None, videos: Path | Mapping[str, Path] | None = None, top_k: int = 6
) -> Everybody:
    """Read what `skyreid build` made, and compare everybody with everybody.

    Args:
        folder: of the build.
        table: embeddings of its tracklets; None = `embeddings.npz` in the folder, if it is there.
        videos: the footage by the name of the source, or the folder with it; None = the folder of the build, and the
            one above it.
        top_k: how many who resemble a tracklet are kept.

    Raises:
        ManifestError: no build, or a damaged one.
        TableError: a table that is damaged, or not of these tracklets.
    """
    manifest = read_built_folder(folder)
    if isinstance(videos, Mapping):
        at_hand = dict(videos)
    else:
        at_hand = find_videos(manifest, (folder, folder.parent) if videos is None else (videos,))
    seen = [(tracklet, find_sighting(tracklet, manifest, at_hand)) for tracklet in manifest.tracklets]
    seen.sort(key=lambda one: (one[0].platform.number, one[1].camera, _begins_s(one[1]), one[0].tracklet_id))
    tracklets, sightings = tuple(one for one, _ in seen), tuple(sighting for _, sighting in seen)
    path = table or (folder / TABLE_FILE if (folder / TABLE_FILE).exists() else None)
    if path is None or not tracklets:
        return Everybody(
            manifest=manifest,
            tracklets=tracklets,
            sightings=sightings,
            videos=at_hand,
            resembling=None,
            stands_for=tuple(range(len(tracklets))),
            seen_unmasked=False,
        )
    embeddings = load_table(path)
    resembling, links = _compare(_units(embeddings, tracklets, path), tracklets, sightings, top_k)
    return Everybody(
        manifest=manifest,
        tracklets=tracklets,
        sightings=sightings,
        videos=at_hand,
        resembling=resembling,
        stands_for=_stands_for(tracklets, links),
        seen_unmasked=embeddings.seen_unmasked,
    )


def _units(table: EmbeddingTable, tracklets: tuple[Tracklet, ...], path: Path) -> Float32[np.ndarray, "tracklet embed"]:
    """Their embeddings, of length 1, in the order of the tracklets."""
    rows = {str(tracklet_id): row for row, tracklet_id in enumerate(table.tracklet_ids)}
    missing = [tracklet.tracklet_id for tracklet in tracklets if tracklet.tracklet_id not in rows]
    if missing:
        raise TableError(
            f"{path}: must hold all tracklets of the folder; {len(missing)} are missing, {missing[0]!r} first "
            "(skyreid embed)"
        )
    try:
        check_same_pictures(table, tracklets)
    except TableError as refusal:
        raise TableError(f"{path}: {refusal}") from None
    return table.unit_embeddings[[rows[tracklet.tracklet_id] for tracklet in tracklets]]


def _compare(
    units: Float32[np.ndarray, "tracklet embed"],
    tracklets: tuple[Tracklet, ...],
    sightings: tuple[Sighting, ...],
    top_k: int,
) -> tuple[tuple[tuple[Resembling, ...], ...], list[tuple[int, int]]]:
    """Who resembles whom elsewhere, and which two sightings of a camera are nearly the same."""
    from skyreid.retrieval.cosine import cosine_similarities  # loads PyTorch

    ids = np.array([tracklet.tracklet_id for tracklet in tracklets])
    platforms = np.array([tracklet.platform.number for tracklet in tracklets])
    camids = np.array([tracklet.camid for tracklet in tracklets])
    files = np.array([sighting.file or "" for sighting in sightings])
    sides = platforms if np.unique(platforms).size > 1 else camids
    begins = np.array([_begins_s(sighting) for sighting in sightings])
    ends = np.array([sighting.offset_s[1] if sighting.offset_s else np.inf for sighting in sightings])
    resembling: list[tuple[Resembling, ...]] = []
    links: list[tuple[int, int]] = []
    for start in range(0, len(units), _ROWS_PER_BLOCK):
        block = cosine_similarities(units[start : start + _ROWS_PER_BLOCK], units)
        for row, similarities in enumerate(block, start=start):
            elsewhere = np.flatnonzero(sides != sides[row])
            best = elsewhere[most_similar(similarities[elsewhere], ids[elsewhere], top_k)]
            resembling.append(tuple(Resembling(int(other), float(similarities[other])) for other in best))
            pause_s = np.maximum(begins - ends[row], begins[row] - ends)
            is_next = (camids == camids[row]) & (files == files[row]) & (pause_s >= 0) & (pause_s <= SAME_PAUSE_S)
            links += [(row, int(other)) for other in np.flatnonzero(is_next & (similarities >= SAME_SIMILARITY))]
    return tuple(resembling), links


def _stands_for(tracklets: tuple[Tracklet, ...], links: list[tuple[int, int]]) -> tuple[int, ...]:
    """The longest tracklet of each group that hangs together."""
    count = len(tracklets)
    first, second = np.array(links, dtype=np.int64).reshape(-1, 2).T
    graph = csr_array((np.ones(len(links)), (first, second)), shape=(count, count))
    _, groups = connected_components(graph, directed=False)
    lengths: Int64[np.ndarray, " tracklet"] = np.array([len(tracklet.frames) for tracklet in tracklets])
    longest = {group: int(np.flatnonzero(groups == group)[lengths[groups == group].argmax()]) for group in set(groups)}
    return tuple(longest[group] for group in groups)


def _begins_s(sighting: Sighting) -> float:
    return sighting.offset_s[0] if sighting.offset_s else 0.0
