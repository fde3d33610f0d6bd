"""`skyreid build`, `embed`, `browse`, `telemetry`: one's own video."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from skyreid.cli.terminal import DONE_IN_PART, NOTHING_FOUND, Bars, File, Note, print_error, print_warnings, show_result

if TYPE_CHECKING:
    from skyreid.extraction.loading import CuttingEmbedder

_NOBODY = (
    "nobody was found, neither annotated nor by motion. Try a detector (--detector yolox-s, or FILE.onnx,kind=yolox), "
    "which finds people who stand still, are small or are filmed by a moving camera; or annotations of your own "
    "(--source FILE,…,annotations=FILE)"
)
_NOBODY_DETECTED = (
    "nobody was found. See above what was left out and why; try another --detector, a smaller --interval-s, or "
    "annotations of your own (--source FILE,…,annotations=FILE)"
)


def build(
    out: Path,
    source: tuple[str, ...] = (),
    *,
    sources: Path | None = None,
    without_annotations: bool = False,
    detector: str | None = None,
    interval_s: float = 0.5,
    mask_faces: bool = True,
    mask_style: Literal["grey", "pixelate"] = "grey",
    face_model: Path | None = None,
    observe_px_per_m: float = 62.0,
    recognise_px_per_m: float = 125.0,
    model: str | None = None,
    terms: str = "not stated",
    consent: str = "not stated",
    contact: str = "not stated",
    replace: bool = False,
    ray: str | None = None,
    json: bool = False,
) -> int:
    """Cut raw video into tracklets on disk, with a manifest and a dataset card.

    Args:
        out: folder to write; running again goes on where it stopped.
        source: FILE,platform=ground|aerial,camera=NAME[,annotations=gt.txt][,start_time=2026-05-04T09:00:00+02:00];
            one for each video, or folder of pictures with a seqinfo.ini.
            Annotations may be followed by format=mot|mot-gt|mot-results|boxmot|cvat-mot|visdrone|
            cvat|coco-video|label-studio (else their content tells), identities=shared|per-video (whether a number is
            the same person in every video; else what the format says, for most: per-video), annotations_of=NAME (if
            they have another name for the video), boxes=xywh|xyxy (sizes or corners, where nobody can tell) and
            every=N (if they count one of N frames).
            Of the camera: telemetry=FILE|none (else what lies beside or inside an aerial video) with time_zone=,
            gps_order= and altitude_from=, as 'skyreid telemetry' asks for them; or, of one that stands still,
            latitude=, longitude=, height_m=, heading=, pitch=, hfov= (degrees; a pitch below 0 looks down).
        sources: JSON file of sources, such as `skyreid simulate` writes.
        without_annotations: pass over the annotations that the sources name, and find the people.
        detector: FILE.onnx (or OpenVINO's .xml),kind=yolox|rt-detr|rf-detr|torchvision|atss, or the name of published
            weights (yolox-nano, yolox-tiny, yolox-s, person-detection-0203; fetched on first use); finds people where
            there are no annotations. Without one, or with the word motion, their motion tells.
            tiles=auto|none|PIXELS after a comma: large frames are searched in overlapping tiles too, where people are
            small; of this side.
        interval_s: seconds between two crops of a person.
        mask_faces: cover the faces before anything is written.
        mask_style: what is painted over them.
        face_model: face_detection_yunet_*.onnx of OpenCV, OpenVINO's .xml, or the name of published weights (yunet,
            face-detection-retail-0005; fetched on first use), instead of OpenCV's built-in frontal detector.
        observe_px_per_m: pixels a metre of a person from which on found faces are covered, and below which nothing is
            (EN 62676-4, "observe": 1.7 m are 105 pixels).
        recognise_px_per_m: from which on every head is covered (EN 62676-4, "recognise"); inf = only found faces.
        model: checkpoint folder, network of your own (FILE.onnx or FILE.xml,size=256x128,colour=rgb|bgr,scale=255|1
            [,mean=A/B/C][,std=A/B/C][,output=NAME], or with such a card beside it) or name of published weights
            (person-reid-0277; fetched on first use); embeds people while they are cut, before their faces are covered,
            in memory, into OUT/embeddings.npz. The crops on disk stay masked.
        terms: who may use the data and for what; for the dataset card.
        consent: how the filmed people agreed or were told; for the dataset card.
        contact: whom somebody asks who wants to be removed; for the dataset card.
        replace: cut again what an earlier build of this folder cut with other settings, or from other files.
        ray: HOST:PORT of a Ray cluster whose machines cut the videos (pip install 'skyreid[cluster]').
        json: print JSON.
    """
    from skyreid.building.build import build as build_tracklets
    from skyreid.building.build_report import Declaration
    from skyreid.building.crops.face_mask import MaskingConfig
    from skyreid.building.sources import parse_source, read_sources
    from skyreid.weights.weights_cache import with_file

    given = [parse_source(text) for text in source]
    if without_annotations:
        given = [dataclasses.replace(one, annotations=None) for one in given]
    if sources is not None:
        given += read_sources(sources, with_annotations=not without_annotations)
    with Bars() as bars:
        masking = MaskingConfig(
            style=mask_style,
            detector="yunet" if face_model else "cascade",
            model=Path(with_file(str(face_model), "face model", progress=bars)) if face_model else None,
            observe_px_per_m=observe_px_per_m,
            recognise_px_per_m=recognise_px_per_m,
        )
        report = build_tracklets(
            given,
            out,
            interval_s=interval_s,
            detector=detector,
            masking=masking if mask_faces else None,
            declaration=Declaration(terms=terms, consent=consent, contact=contact),
            replace=replace,
            embedder=None if model is None else _embedder(model, bars),
            ray=ray,
            progress=bars,
        )
    show_result(report, json=json)
    if not any(source.tracklets for source in report.sources):
        print_error(_NOBODY if detector is None else _NOBODY_DETECTED)
        return NOTHING_FOUND
    return 0


def _embedder(model: str, bars: Bars) -> "CuttingEmbedder":
    # Imported here: a build without a model loads no PyTorch.
    from skyreid.extraction.loading import CuttingEmbedder

    return CuttingEmbedder(model, progress=bars)


def embed(
    folder: File,
    model: str,
    out: Path,
    *,
    data: str | None = None,
    split: int = 0,
    part: Literal["test", "query", "gallery", "train"] = "test",
    platform: Literal["ground", "aerial"] | None = None,
    camera: str | None = None,
    clip_length: int | None = None,
    sampling: Literal["one-clip", "begin-stride", "begin-chunk", "all-frames", "all-consecutive"] | None = None,
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    batch: int = 16,
    threads: int | None = None,
    table_precision: Literal["float32", "float16"] = "float32",
    shard_rows: int | None = None,
    ray: str | None = None,
    json: bool = False,
) -> None:
    """Embed the tracklets of a build, a benchmark or a folder of crops.

    A folder of crops holds one subfolder for each tracklet. A run that was killed goes on where it was, with the same
    options.

    Args:
        folder: what `skyreid build` made, a benchmark (--data), or a folder of crops.
        model: checkpoint folder, network of your own or name of published weights, as of `skyreid build`.
        out: the table to write, .npz; with --shard-rows, a folder.
        data: name of the benchmark that the folder holds (`skyreid data list`).
        split: of benchmarks with several.
        part: of a benchmark; test is query and gallery.
        platform: of a folder of crops, which does not tell it.
        camera: of a build, only its tracklets; None = all cameras.
        clip_length: frames a clip; None = as the model says. The table records it.
        sampling: which frames of a tracklet are seen; None = as the model says. The table records it.
        precision: of what is computed; auto = fewer bits where that is clearly faster here and embeds the same way,
            float32 = exact. The table records it.
        batch: clips that the model sees at once.
        threads: that compute, and as many that read pictures; None = one for each core.
        table_precision: of the written numbers; float16 is half the file and cosines within 0.0001.
        shard_rows: write a folder of many files with so many tracklets each, such as 65536, which evaluate and search
            read piece by piece and under torchrun every process writes some of.
        ray: HOST:PORT of a Ray cluster whose machines embed, on --threads CPUs each (1 when not given), and a GPU where
            there is any.
        json: print JSON.
    """
    from skyreid.extraction.embed_folder import embed as embed_tracklets

    with Bars() as bars:
        table = embed_tracklets(
            folder,
            model,
            out,
            data=data,
            split=split,
            part=part,
            platform=platform,
            camera=camera,
            clip_length=clip_length,
            sampling=sampling,
            precision=precision,
            batch=batch,
            threads=threads,
            table_precision=table_precision,
            shard_rows=shard_rows,
            ray=ray,
            progress=bars,
        )
    assert table.feeding is not None
    fed = table.feeding.in_words()
    said = f"{len(table)} tracklets embedded into {out}: {fed}, {table.precision}"
    content = {"tracklets": len(table), "table": str(out), "fed": fed, "precision": table.precision}
    show_result(Note([said], content), json=json)


def browse(
    folder: File,
    *,
    out: Path | None = None,
    table: Path | None = None,
    videos: Path | None = None,
    json: bool = False,
) -> None:
    """Show everybody whom a build found, by camera and time, as one page.

    Every sighting plays under the pointer; a click shows the whole frame, and who resembles it on the other platform.

    Args:
        folder: what `skyreid build` made.
        out: HTML file to write; None = browse.html in the folder.
        table: what `skyreid embed` wrote; None = embeddings.npz in the folder, if it is there.
        videos: folder with the footage, for the whole frames and links to the moment; None = where 'skyreid find' saw
            it, the folder, and the one above it.
        json: print JSON.
    """
    from skyreid.browsing import browse as browse_build

    with Bars() as bars:
        report = browse_build(folder, out, table=table, videos=videos, progress=bars)
    print_warnings(report.missing)
    show_result(report, json=json)


def telemetry(
    file: File,
    *,
    time_zone: str | None = None,
    gps_order: Literal["lat-lon", "lon-lat"] | None = None,
    altitude_from: Literal["take-off", "sea"] | None = None,
    json: bool = False,
) -> None:
    """Show where a drone was, how it looked and when, as its files tell.

    Args:
        file: a video with what lies beside or inside it, subtitles as .SRT, a table of a flight as .csv, a picture, or
            a folder of pictures.
        time_zone: of clock times without one, such as Europe/Madrid or +02:00.
        gps_order: which stands first in GPS(a, b, c), where the file does not show it.
        altitude_from: what a plain altitude counts from, which the file does not tell.
        json: print JSON, every record with it.
    """
    from skyreid.building.flight_telemetry import TelemetryReading, read_telemetry
    from skyreid.telemetry.flight_log import zone_of

    zone = None if time_zone is None else zone_of(time_zone)
    show_result(
        read_telemetry(file, TelemetryReading(time_zone=zone, gps_order=gps_order, altitude_from=altitude_from)),
        json=json,
    )


def find(
    out: Path,
    ground: tuple[str, ...] = (),
    aerial: tuple[str, ...] = (),
    *,
    query_image: Path | None = None,
    detector: str | None = None,
    model: str | None = None,
    interval_s: float | None = None,
    mask_faces: bool = True,
    replace: bool = False,
    ray: str | None = None,
    json: bool = False,
) -> int:
    """Show everybody in your videos on one page, each with who resembles them.

    Builds, embeds, compares and shows; running it again goes on where it stopped: finished videos are kept, the one
    that was at work begins anew. A video that cannot be used is left out and named; of a damaged one, what decodes is
    used; both end with status 4.

    Args:
        out: folder of the case; the page is browse.html in it.
        ground: FILE[,start_time=2026-05-04T09:00:00+02:00][,camera=NAME], video of a camera on the ground; once for
            each. It may say of the camera what a --source of 'skyreid build' says.
        aerial: video of a drone, as --ground; once for each. Telemetry is read beside and inside it; telemetry=,
            time_zone=, gps_order= and altitude_from= say more.
        query_image: picture of somebody, cropped to them; who resembles them stands in asked.html.
        detector: who finds the people, as of `skyreid build`; None = as the folder was begun, else the best of
            `skyreid weights list` in the cache, else their motion.
        model: what tells people apart, as of `skyreid build`, or "colours"; None = as the folder was begun, else the
            best in the cache, else the colours of clothes.
        interval_s: seconds from one look at the video to the next; None = as the folder was begun, else 0.5.
        mask_faces: cover the faces before anything is written.
        replace: begin anew what an earlier run made with other settings.
        ray: HOST:PORT of a Ray cluster whose machines look at the videos, as of `skyreid build`.
        json: print JSON.
    """
    from skyreid.finding import find as find_everybody

    with Bars() as bars:
        report = find_everybody(
            out,
            ground=ground,
            aerial=aerial,
            query_image=query_image,
            detector=detector,
            model=model,
            interval_s=interval_s,
            mask_faces=mask_faces,
            replace=replace,
            ray=ray,
            progress=bars,
        )
    print_warnings(report.left_out)
    show_result(report, json=json)
    return DONE_IN_PART if report.left_out else 0
