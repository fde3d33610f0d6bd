"""`skyreid case …`: the footage, people and decisions of one search, kept in one place."""

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from skyreid.cli.each_case import of_each
from skyreid.cli.search import Several
from skyreid.cli.terminal import DONE_IN_PART, Bars, File, Name, Note, show_result, who
from skyreid.errors import CaseError, SettingError
from skyreid.tracklet import Platform

if TYPE_CHECKING:
    from skyreid.cases.case import Case
    from skyreid.cases.sources import CaseSource
    from skyreid.retrieval.search import Asked


def case_new(
    case: File,
    *,
    name: str | None = None,
    database: str | None = None,
    files: str | None = None,
    retention_days: int = 30,
    by: str | None = None,
    json: bool = False,
) -> None:
    """Make an empty case.

    Args:
        case: a new folder.
        name: what people call it; that of the folder when not given.
        database: postgresql+psycopg://USER@HOST/NAME, without a password (~/.pgpass has it); a file in the folder when
            not given.
        files: s3://BUCKET/PREFIX of an object store for crops and uploads, whose key AWS_… variables or ~/.aws tell; in
            the folder when not given.
        retention_days: how long footage is kept.
        by: who makes it; the user of this machine when not given.
        json: print JSON.
    """
    from skyreid.cases.case import create_case

    told = {"name": name, "database": database, "files": files}
    with create_case(case, by=who(by), **told, retention_days=retention_days) as made:
        facts = made.facts()
    adding = f"skyreid case add {shlex.quote(str(case))} FOLDER --purpose TEXT brings in what was built"
    show_result(Note([f"case {facts.name}: {case}", adding], {"folder": str(case), **facts.to_json()}), json=json)


def case_list(
    folder: Annotated[Path, tyro.conf.Positional] = Path(),
    *,
    tracklets: bool = False,
    json: bool = False,
) -> int:
    """List cases, or what one holds.

    Args:
        folder: with cases, or a case.
        tracklets: list the tracklets of a case.
        json: print JSON.
    """
    from skyreid.cases.case import is_case, list_cases, open_case
    from skyreid.cases.tracklets import read_tracklets

    if tracklets:
        with open_case(folder) as case:
            seen = read_tracklets(case)
        ids = [one.tracklet.tracklet_id for one in seen]
        said = [f"{one.tracklet.tracklet_id}  {one.source.platform}  {one.source.camera}" for one in seen]
        show_result(Note(said or ["no tracklet yet"], ids), json=json)
    elif is_case(folder):
        show_result(_holds_at(folder), json=json)
    elif not folder.is_dir():
        raise CaseError(f"{folder}: is no folder; name a case, or a folder of cases")
    else:
        notes, status = of_each({str(path): partial(_holds_at, path) for path in list_cases(folder)})
        said = [f"{path}: {note.lines()[0]}" for path, note in notes.items()]
        content = [note.to_json() for note in notes.values()]
        show_result(Note(said or [f"no case in {folder}; 'skyreid case new CASE' makes one"], content), json=json)
        return status
    return 0


def case_add(
    case: File,
    what: Name,
    purpose: str = "",
    *,
    platform: Literal["ground", "aerial"] | None = None,
    camera: str | None = None,
    start_time: str | None = None,
    detector: str | None = None,
    model: str | None = None,
    interval_s: float = 0.5,
    priority: int = 0,
    authorisation: str | None = None,
    authorised_until: str | None = None,
    by: str | None = None,
    json: bool = False,
) -> None:
    """Bring footage into a case: a video to be worked on, a folder of `skyreid build`, or a table of `skyreid embed`.

    Adding the same again changes nothing.

    Args:
        case: that takes it.
        what: video, or all that `skyreid build --source` takes; or a folder of `skyreid build`, whose vectors and
            decisions come along; or a table of its tracklets, in one file or many.
        purpose: why the people in it are looked at; every source has one.
        platform: that took the video.
        camera: that took the video; the name of its file when not given.
        start_time: of the video's first frame, such as 2026-05-04T09:00:00+02:00.
        detector: who finds the people, as of `skyreid build`; the best in the cache, else their motion, when not given.
        model: what tells people apart, as of `skyreid build`; the best in the cache when not given.
        interval_s: seconds from one crop of a person to the next.
        priority: of the work on a video; the highest comes first.
        authorisation: who allowed it, or by which paper.
        authorised_until: the last day of that (UTC), such as 2026-05-04; after it nobody sees the footage, and it goes.
        by: who brings it.
        json: print JSON.
    """
    from skyreid.cases.case import open_case
    from skyreid.cases.keeping.retention import authorise
    from skyreid.cases.sources import check_authorisation
    from skyreid.cases.work.describing import best_at_hand, end_of_day
    from skyreid.cases.work.importing import import_build, import_table
    from skyreid.cases.work.jobs import DONE, LookSettings, add_job
    from skyreid.files.file_kinds import BUILD, TABLE, kind_at

    kind = kind_at(Path(what))
    until = end_of_day(authorised_until or "")
    with open_case(case) as opened, Bars() as bars:
        if kind is TABLE:
            report = import_table(opened, what, by=who(by))
        elif kind is BUILD:
            check_authorisation(until)
            report = import_build(opened, what, by=who(by), purpose=purpose, progress=bars)
            for name in report.sources if authorisation or until else ():
                authorise(opened, name, authorisation, until, by=who(by))
        else:
            told = {"platform": platform, "start_time": start_time}
            if ",camera=" not in what:
                told["camera"] = camera or Path(what.partition(",")[0]).stem
            source = what + "".join(f",{key}={value}" for key, value in told.items() if value is not None)
            settings = LookSettings(
                detector=detector or best_at_hand("detector"),
                model=model or best_at_hand("encoder"),
                interval_s=interval_s,
            )
            job = add_job(
                opened,
                source,
                by=who(by),
                purpose=purpose,
                settings=settings,
                priority=priority,
                authorisation=authorisation,
                authorised_until=until,
            )
            how = "nothing to do" if job.state == DONE else f"skyreid case work {shlex.quote(str(case))} does it"
            no_model = "no model: its people cannot be searched until one is named (skyreid weights list)"
            said = [f"job {job.number}: {job.file} is {job.state}; {how}", *([] if settings.model else [no_model])]
            report = Note(said, job.to_json())
    show_result(report, json=json)


def case_search(
    case: File,
    *,
    tracklet: Several = (),
    image: Several = (),
    box: str | None = None,
    text: Several = (),
    weights: Several = (),
    to: Literal["other", "aerial", "ground", "any"] = "other",
    camera: Several = (),
    after: str | None = None,
    before: str | None = None,
    min_height_px: float | None = None,
    near: str | None = None,
    max_speed: float | None = None,
    decided: bool = False,
    raw: bool = False,
    model: int | None = None,
    k: Annotated[int, tyro.conf.arg(aliases=["-k"])] = 20,
    json: bool = False,
) -> None:
    """Rank the people of a case by likeness to one of them, to a picture or to a description.

    Args:
        case: that is searched.
        tracklet: id of a tracklet; several ask as one, and so does all that is asked with.
        image: picture file, cropped to a person or with a --box; embedded as it is, in memory.
        box: X,Y,WIDTH,HEIGHT of the person in the picture, in pixels.
        text: description, such as "red jacket, dark trousers"; the case's model must read text.
        weights: checkpoint or network that made the case's vectors, where neither a job of the case nor the cache has
            it; may be given several times.
        to: platform to search; other = the one from which the tracklet was not seen, both without a tracklet.
        camera: name of a camera to search; may be given several times; without it, all.
        after: as of `skyreid search`.
        before: as of `skyreid search`.
        min_height_px: median height of the person's boxes in the frames.
        near: LATITUDE,LONGITUDE,METRES: the tracklet's position lies in this circle.
        max_speed: metres a second that a person moves: leaves out who was too far away too soon, where clocks and
            positions tell.
        decided: show those too who are confirmed or rejected already.
        raw: order by similarity alone; otherwise confirmed sightings of the person ask along, and who looks nearly as
            somebody rejected comes later.
        model: number of the model, as `skyreid case list CASE` shows it; the one with the most vectors when not given.
        k: how many to show.
        json: print JSON.
    """
    from skyreid.cases.case import open_case
    from skyreid.cases.search.searching import CaseSearch
    from skyreid.cases.tracklets import find_tracklet
    from skyreid.retrieval.filters import Filters, read_moment, read_near

    if not (tracklet or image or text):
        raise SettingError("a search asks with something: --tracklet ID, --image FILE or --text WORDS")
    if box is not None and len(image) != 1:
        raise SettingError("a --box belongs to one --image; crop the other pictures")
    if model is not None and (image or text):
        raise SettingError("pictures and texts ask the model with the most vectors; leave out --model")
    filters = Filters(
        cameras=camera,
        after=None if after is None else read_moment(after),
        before=None if before is None else read_moment(before),
        min_height_px=min_height_px,
        near=None if near is None else read_near(near),
    )
    with open_case(case) as opened:
        if to == "other":
            platform = find_tracklet(opened, tracklet[0]).source.platform.other if tracklet else None
        else:
            platform = None if to == "any" else Platform(to)
        asked: list[Asked] = []
        if image or text:
            from skyreid.cases.search.asking import CaseAsker
            from skyreid.extraction.asking import read_box

            asker = CaseAsker(opened, models=weights)
            place = None if box is None else read_box(box)
            asked += [asker.asker(None).picture(Path(one), place) for one in image]
            asked += [asker.text(one) for one in text]
        found = CaseSearch(opened).search(
            tracklet,
            asked=asked,
            platform=platform,
            top_k=k,
            filters=filters,
            max_speed=max_speed,
            model=model,
            with_decided=decided,
            refine=not raw,
        )
    show_result(found, json=json)


def case_decide(
    case: File,
    first: Name,
    second: Name,
    decision: Annotated[Literal["confirmed", "rejected", "unsure", "undo"], tyro.conf.Positional],
    annotator: str,
    *,
    json: bool = False,
) -> None:
    """Say whether two tracklets are one person, or take that back.

    Args:
        case: that they are of.
        first: id of a tracklet.
        second: id of another one.
        decision: what is said; undo takes back what this annotator said of the two.
        annotator: who says it.
        json: print JSON.
    """
    from skyreid.building.linking.event_log import make_pair
    from skyreid.cases.case import open_case
    from skyreid.cases.deciding.decisions import decide, undo
    from skyreid.cases.deciding.standing import read_standing

    with open_case(case) as opened:
        if decision == "undo":
            pair = make_pair(first, second)
            mine = [one for one in read_standing(opened).state.standing if one.annotator == annotator]
            event_id = next((one.event_id for one in reversed(mine) if one.tracklets == pair), None)
            if event_id is None:
                raise CaseError(f"{case}: {annotator!r} has said nothing of {first} and {second} that stands")
            event = undo(opened, annotator=annotator, event_id=event_id)
        else:
            event = decide(opened, first, second, decision, annotator=annotator)
        state = read_standing(opened, touched=[first, second]).pair_state(first, second)
    said = [f"{decision}: {' and '.join(event.tracklets)}; now {state}"]
    show_result(Note(said, {"event": event.event_id, "decision": decision, "state": state}), json=json)


def case_export(
    case: File,
    out: Path,
    *,
    format: Literal["build", "table", "csv", "json", "mars", "g2a", "mot", "cvat", "label-studio", "pdf"] = "build",
    model: int | None = None,
    tracklet: str | None = None,
    by: str | None = None,
    json: bool = False,
) -> None:
    """Write what a case holds, with the hash of every file.

    Args:
        case: that is written.
        out: a new folder for build, mars, g2a, mot, cvat and label-studio, else a file, whose hash is written beside
            it.
        format: build (a folder as of `skyreid build`, for `skyreid data export` and all others), table (.npz of one
            model), csv (one line a decision), json (everything but pictures and vectors), mars and g2a (who was
            confirmed on both platforms, as a benchmark), mot, cvat and label-studio (boxes of every
            source, with identities), pdf (a report).
        model: number of the model, for a table.
        tracklet: id of the one that a report is about; all who were found more than once when not given.
        by: who asks.
        json: print JSON.
    """
    from skyreid.cases.case import open_case
    from skyreid.cases.exports.exporting import export_case

    with open_case(case) as opened, Bars() as bars:
        report = export_case(opened, out, format, by=who(by), model=model, tracklet=tracklet, progress=bars)
    show_result(report, json=json)


def case_verify(case: File, *, rebuild: bool = True, json: bool = False) -> int:
    """See that a case is as it was written: database, log, crops, and what searches derive from them.

    Args:
        case: to be looked at.
        rebuild: write anew what is derived and not as the database is.
        json: print JSON.
    """
    from skyreid.cases.case import open_case
    from skyreid.cases.verification import verify_case

    with open_case(case) as opened, Bars() as bars:
        found = verify_case(opened, rebuild=rebuild, progress=bars)
    show_result(found, json=json)
    return DONE_IN_PART if found.damage else 0


def _holds_at(folder: Path) -> Note:
    from skyreid.cases.case import open_case

    with open_case(folder) as case:
        return _holds(case)


def _holds(case: "Case") -> Note:
    """What a case holds, the first line for lists of cases."""
    from skyreid.cases.deciding.standing import read_standing
    from skyreid.cases.sources import read_sources
    from skyreid.cases.tracklets import read_models

    facts, sources, models, standing = case.facts(), read_sources(case), read_models(case), read_standing(case)
    counts = {platform.value: sum(one.platform is platform for one in sources) for platform in Platform}
    num_tracklets, confirmed = sum(one.num_tracklets for one in sources), len(standing.state.links())
    said = [
        f"{facts.name}: {counts['ground']} sources on the ground, {counts['aerial']} in the air, {num_tracklets} "
        f"tracklets, {confirmed} confirmed pairs"
        + (f", on legal hold: {facts.legal_hold}" if facts.legal_hold else ""),
        *map(_source_line, sources),
        *(f"model {one.number}: {one.words}, {one.num_vectors} vectors of {one.width}" for one in models),
    ]
    content: dict[str, object] = {
        "folder": str(case.folder),
        **facts.to_json(),
        "sources": [one.to_json() for one in sources],
        "tracklets": num_tracklets,
        "confirmed_pairs": confirmed,
        "models": [{"number": one.number, "model": one.model, "vectors": one.num_vectors} for one in models],
    }
    return Note(said, content)


def _source_line(source: "CaseSource") -> str:
    return (
        f"source {source.name}: {source.platform}, camera {source.camera}, {source.num_tracklets} tracklets, kept "
        f"until {source.retain_until[:10]}, for: {source.purpose}"
    )
