import re

from skyreid.pages.ranked_list import RankedTracklet, ranked_list_html
from skyreid.tracklet import Platform


def test_places_are_shown_in_order_with_what_is_known_of_them(paint_tracklet):
    query = paint_tracklet("asked")
    ranked = [
        RankedTracklet(tracklet=paint_tracklet("first", platform=Platform.AERIAL), similarity=0.91234, is_match=True),
        RankedTracklet(tracklet=paint_tracklet("second"), similarity=-0.25, is_match=False),
        RankedTracklet(tracklet=paint_tracklet("third"), similarity=-0.5),
    ]
    shown = ranked_list_html(query, ranked)
    text = " ".join(re.sub(r"<[^>]*>", " ", shown).split())
    assert text == (
        "Query ● ground camera 3 asked "
        "1 ✓ same 0.912 ▲ aerial camera 3 first "
        "2 ✕ different -0.250 ● ground camera 3 second "
        "3 -0.500 ● ground camera 3 third"
    )
    assert re.findall(r'<li class="(\w+)">', shown) == ["match", "other", "open"]
    assert re.findall(r"width:([\d.]+%)", shown) == ["91.2%", "0.0%", "0.0%"]
