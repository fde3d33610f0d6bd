"""`skyreid build`, `embed`, `search`: one's own video."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from skyreid.cli.terminal import Bars, File, show_result
from skyreid.tracklet import Platform


def build(
    out: Path, source: tuple[str, ...], *, interval_s: float = 0.5, mask_faces: bool = True, json: bool = False
) -> None:
    """Cut raw video into tracklets on disk, with a manifest.

    Args:
        out: folder to write; running again goes on where it stopped.
        source: FILE,platform=ground|aerial,camera=NAME[,annotations=gt.txt]; one for each video.
        interval_s: seconds between two crops of a person.
        mask_faces: burn grey over the faces before anything is written.
        json: print JSON.
    """
    from skyreid.building.build import build as build_tracklets
    from skyreid.building.sources import parse_source

    sources = [parse_source(text) for text in source]
    with Bars() as bars:
        report = build_tracklets(sources, out, interval_s=interval_s, mask_faces=mask_faces, progress=bars)
    show_result(report.lines(), report.to_json(), json=json)


def embed(
    folder: File,
    model: Path,
    out: Path,
    *,
    camera: str | None = None,
    sampling: Literal["one-clip", "all-frames"] = "one-clip",
) -> None:
    """Embed the tracklets of a folder that `skyreid build` made.

    Args:
        folder: with manifest.jsonl.
        model: checkpoint folder.
        out: the table to write, .npz.
        camera: only its tracklets; None = all cameras.
        sampling: one clip a tracklet, or every frame.
    """
    from skyreid.extraction.embed_folder import embed_folder
    from skyreid.extraction.embed_tracklets import ExtractionConfig

    with Bars() as bars:
        table = embed_folder(folder, model, out, ExtractionConfig(sampling=sampling), camera=camera, progress=bars)
    print(f"{len(table)} tracklets embedded into {out}")


def search(
    table: File,
    query: str,
    out: Path,
    *,
    to: Literal["aerial", "ground", "any"] = "any",
    k: Annotated[int, tyro.conf.arg(aliases=["-k"])] = 20,
) -> None:
    """Rank the tracklets most like one of them, as a page of pictures.

    Args:
        table: what `skyreid embed` wrote.
        query: tracklet id.
        out: HTML file to write.
        to: platform to search.
        k: how many to show.
    """
    from skyreid.retrieval.search_page import write_search_page

    ranking = write_search_page(table, query, out, platform=None if to == "any" else Platform(to), top_k=k)
    for tracklet_id, similarity in zip(ranking.tracklet_ids, ranking.similarities, strict=True):
        print(f"{similarity:7.4f}  {tracklet_id}")
    print(f"A ranking is not an identification. Pictures: {out}")
