"""What a report shows of words that somebody else typed."""

import io

from PIL import Image

from skyreid.pages.case_report import Report, ReportedIdentity, ReportedSighting, _safe, draw_report


def test_markup_is_shown_and_what_no_font_has_is_written_out():
    assert _safe("<b>x</b> & &amp; Ä ▲ €") == "&lt;b&gt;x&lt;/b&gt; &amp; &amp;amp; Ä ▲ €"
    assert _safe("中 🦜 \u202e \x1b שלום") == r"\u4e2d \U0001f99c \u202e \x1b \u05e9\u05dc\u05d5\u05dd"


def test_words_of_any_length_find_room_and_pages_are_counted():
    picture = io.BytesIO()
    Image.new("RGB", (200, 100)).save(picture, "JPEG")
    long = "<para>" + "x" * 1_500
    sighting = ReportedSighting(
        film=picture.getvalue(), film_size=(200, 100), is_query=True, facts=[("Tracklet", long[:900])]
    )
    identity = ReportedIdentity(title=long[:300], sightings=[sighting] * 4, decisions=[[long[:500]] * 7] * 2)
    drawn = draw_report(
        Report(
            title=long[:200],
            is_simulated=True,
            facts=[("Purpose", long)],
            identities=[identity],
            conflicts=[long[:500]],
            models=[["1", "m" * 64, long[:200]]],
            sources=[[long[:200], long[:200], "clock not set", "a" * 64]] * 20,
        )
    )
    assert drawn.startswith(b"%PDF-") and drawn.count(b"/Type /Page\n") + drawn.count(b"/Type /Page ") > 4
