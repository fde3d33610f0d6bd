"""`skyreid search`: who in a table resembles a tracklet, a picture, somebody in a video, a text, or all of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from skyreid.cli.terminal import Bars, File, Note, show_result
from skyreid.errors import SettingError
from skyreid.tracklet import Platform

if TYPE_CHECKING:
    from skyreid.retrieval.search import Asked

Several = Annotated[tuple[str, ...], tyro.conf.UseAppendAction]
"""An option that may be given several times."""


def search(
    table: File,
    out: Path,
    *,
    query: Several = (),
    image: Several = (),
    video: Path | None = None,
    at: float | None = None,
    box: str | None = None,
    detector: str | None = None,
    text: Several = (),
    model: str | None = None,
    vocabulary: Path | None = None,
    filmed_from: Literal["aerial", "ground", "unknown"] = "unknown",
    mask_faces: bool = True,
    to: Literal["aerial", "ground", "any"] = "any",
    camera: Several = (),
    after: str | None = None,
    before: str | None = None,
    min_height_px: float | None = None,
    near: str | None = None,
    possible_only: bool = False,
    max_speed: float = 10.0,
    k: Annotated[int, tyro.conf.arg(aliases=["-k"])] = 20,
    calibration: Path | None = None,
    videos: Path | None = None,
    json: bool = False,
) -> None:
    """Rank the tracklets most like somebody, as a page of pictures.

    What is asked with may be given several times and together; it asks as one, by the mean of the cosines. Filters
    apply before anything is ranked; who lacks what a filter asks for is left out and counted.

    Args:
        table: what `skyreid embed` wrote, in one file or many.
        out: HTML file to write.
        query: tracklet id.
        image: picture file, cropped to a person, or with a --box around them or a --detector that finds them; embedded
            as it is, in memory.
        video: file with the person, at the time --at.
        at: seconds after the video's first frame.
        box: X,Y,WIDTH,HEIGHT of the person in the picture or frame, in pixels; or, with --detector, the number of
            somebody whom it finds there, from left to right.
        detector: FILE.onnx,kind=yolox|rt-detr|rf-detr|torchvision|atss, or the name of published weights: finds the
            person in the picture or the video's frame; needs no --box where there is only one.
        text: description, such as "red jacket, dark trousers"; the model must have kept its text tower.
        model: what made the table, as of `skyreid embed`, for everything but --query; without it, that of the case,
            where `skyreid find` made the table.
        vocabulary: bpe_simple_vocab_16e6.txt.gz, by which CLIP reads a text; without it, the published one, fetched on
            first use. Models that know whole words need none.
        filmed_from: platform that took the --image and the --video, for models that are told it.
        mask_faces: cover the face in the pictures that were asked with before the page shows them.
        to: platform to search.
        camera: name of a camera to search; may be given several times; without it, all.
        after: seen at this moment or later: a time of day such as 2026-05-04T09:00:00+02:00 (without a zone, on each
            video's own clock), or an offset within each video such as 12.5 or 1:02:03.
        before: seen at this moment or earlier, as --after.
        min_height_px: median height of the person's boxes in the frames.
        near: LATITUDE,LONGITUDE,METRES: the tracklet's position lies in this circle.
        possible_only: leave out who cannot be the person of a --query: another one in the same picture, or farther away
            than anybody gets meanwhile. Without it, they are marked.
        max_speed: of a person, metres a second.
        k: how many to show.
        calibration: of `skyreid calibrate`: says how likely each is the person, and whether any is.
        videos: folder with the footage, for links to the moment; without it, where `skyreid find` saw it, and the
            folders of the table and of its manifest.
        json: print JSON.
    """
    from skyreid.datasets.manifest import read_built_folder
    from skyreid.pages.page import check_page_place
    from skyreid.pages.search_page import write_search_page
    from skyreid.retrieval.candidates import Scope
    from skyreid.retrieval.filters import Filters, read_moment, read_near
    from skyreid.retrieval.sharded_table import open_table
    from skyreid.retrieval.table_search import search_table

    if not (query or image or video or text):
        raise SettingError("a search asks with something: --query TRACKLET, --image, --video or --text")
    _refuse_unread(image, video, at, box, detector)
    check_page_place(out)
    scope = Scope(
        platform=None if to == "any" else Platform(to),
        filters=Filters(
            cameras=camera,
            after=None if after is None else read_moment(after),
            before=None if before is None else read_moment(before),
            min_height_px=min_height_px,
            near=None if near is None else read_near(near),
        ),
        possible_only=possible_only,
        max_speed=max_speed,
    )
    searched = open_table(table)
    # Loads all that builds, which nobody waits for whose table is refused.
    from skyreid.case_record import COLOURS, footage_of, read_case

    built = None if searched.manifest is None else Path(searched.manifest).parent
    case = None if built is None else read_case(built)
    asked: list[Asked] = []
    if image or video or text:
        from skyreid.building.crops.face_mask import FaceMask, MaskingConfig
        from skyreid.extraction.asking import NO_MODEL, Asker, read_box

        if model is None and case is not None and case.model != COLOURS:
            model = case.model
        if model is None:
            needed = "--image, --video and --text are embedded by the model that made the table: --model"
            raise SettingError(needed if searched.model is not None else NO_MODEL)

        with Bars() as bars:
            asker = Asker(
                model,
                searched,
                mask=FaceMask(MaskingConfig()) if mask_faces else None,
                platform=None if filmed_from == "unknown" else Platform(filmed_from),
                progress=bars,
            )
            place = None if box is None else read_box(box)
            if video is None:
                asked += [asker.picture(Path(one), place, detector=detector, progress=bars) for one in image]
            else:
                asked += [asker.picture(Path(one)) for one in image]
            if video is not None and at is not None:
                asked.append(asker.video(video, at, place, detector=detector, progress=bars))
            asked += [asker.text(one, vocabulary=vocabulary, progress=bars) for one in text]
    footage = videos
    if built is not None and case is not None:
        footage = footage_of(built, read_built_folder(built), videos)
    found = search_table(searched, query, table_path=table, asked=asked, scope=scope, top_k=k, videos=footage)
    content: dict[str, object] = {
        "asked": found.words,
        "entries": found.ranking.to_dicts(),
        "num_searched": found.ranking.num_searched,
        "left_out": [one.to_json() for one in found.ranking.left_out],
        "num_impossible": found.num_impossible,
        "notes": found.remarks,
    }
    if calibration is None:
        write_search_page(out, found)
        cannot = found.ranking.impossible
        lines = [
            f"{entry.similarity:7.4f}  {entry.tracklet_id}" + (f"  cannot be: {why}" if why else "")
            for entry, why in zip(found.ranking, cannot, strict=True)
        ]
    else:
        from skyreid.evaluation.calibrated_search import calibrate_ranking
        from skyreid.evaluation.calibration import load_calibration
        from skyreid.retrieval.cosine import COSINE

        if len(found.queries) != 1 or found.asked:
            raise SettingError("a calibration speaks of searches by one tracklet; give one --query and nothing else")
        calibrated = calibrate_ranking(
            found.ranking,
            load_calibration(calibration),
            model=found.model,
            feeding=found.feeding,
            query_platform=found.queries[0].tracklet.platform,
            gallery_platform=scope.platform,
            ranker=COSINE.name,
        )
        write_search_page(
            out,
            found,
            probabilities=calibrated.probabilities,
            answer=calibrated.answer,
            condition=calibrated.condition,
            warnings=calibrated.warnings,
        )
        lines = calibrated.lines()
        told = calibrated.to_json()
        both = zip(found.ranking.to_dicts(), calibrated.probabilities, strict=True)
        content |= told | {"entries": [{**entry, "probability": probability} for entry, probability in both]}
    lines += [*found.remarks, f"A ranking is not an identification. Pictures: {out}"]
    show_result(Note(lines, {**content, "page": str(out)}), json=json)


def _refuse_unread(
    image: tuple[str, ...], video: Path | None, at: float | None, box: str | None, detector: str | None
) -> None:
    """Refuse what was given and would not be read."""
    if (video is None) != (at is None):
        raise SettingError("--video FILE and --at SECONDS go together")
    if detector is not None and (video is not None) + len(image) != 1:
        raise SettingError("a --detector finds somebody in one picture or one video; crop the other pictures")
    if box is not None and (video is not None) + len(image) != 1:
        raise SettingError("a --box belongs to one picture or one video; crop the other pictures")
