"""A search as a page that opens anywhere: the query and the tracklets most similar to it."""

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from skyreid.pages.frame_strip import draw_picture
from skyreid.pages.page import render, write_page
from skyreid.pages.ranked_list import RankedTracklet, query_html, ranked_html
from skyreid.retrieval.table_search import Found

RANKING_NOTICE = "A ranking is not an identification. It orders tracklets by similarity of appearance only."


def write_search_page(
    out: Path,
    found: Found,
    *,
    probabilities: Sequence[float] | None = None,
    answer: str | None = None,
    condition: str | None = None,
    warnings: Sequence[str] = (),
) -> None:
    """Write what was found as one HTML file, pictures inside, that opens without network, server or script.

    Args:
        out: the .html file; an older one is replaced.
        found: by `search_table`.
        probabilities: of being the person, by entry, as a calibration gives them.
        answer: what the calibration says of the whole gallery, such as "Probably not in this gallery".
        condition: what the probabilities take for granted.
        warnings: in which respects the calibration does not fit.

    Raises:
        MissingFrameError: a frame that would be shown is missing or is no picture.
    """
    likely = [None] * len(found.tracklets) if probabilities is None else probabilities
    cannot = found.ranking.impossible or [None] * len(found.tracklets)
    ranked = [
        RankedTracklet(
            tracklet=tracklet, similarity=float(similarity), probability=probability, sighting=sighting, impossible=why
        )
        for tracklet, similarity, probability, sighting, why in zip(
            found.tracklets, found.ranking.similarities, likely, found.sightings, cannot, strict=True
        )
    ]
    target = "any platform" if found.target is None else found.target.value
    write_page(
        out,
        title=f"{found.words[0] if len(found.words) == 1 else f'{len(found.words)} queries'} → {target}",
        lead=f"The {len(ranked)} most similar of {found.ranking.num_searched:,} tracklets, every one compared.",
        notice=None,
        body=render(
            "search.html",
            answer=answer,
            condition=condition,
            warnings=warnings,
            queries=[query_html(one.tracklet, one.sighting) for one in found.queries],
            asked=[
                {"words": one.words, "strip": None if one.picture is None else draw_picture(one.picture)}
                for one in found.asked
            ],
            remarks=found.remarks,
            ranked_list=ranked_html(ranked),
        ),
        footer=Markup("<p>{}</p>").format(RANKING_NOTICE),
    )
