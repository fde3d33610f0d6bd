import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from skyreid.datasets.protocol import AERIAL_TO_GROUND, GROUND_TO_AERIAL, MARS, EvaluationProtocol
from skyreid.errors import MissingFrameError
from skyreid.evaluation.ranking_scores import Scores
from skyreid.evaluation.report import RankedExample, ReportPicture, ScoredDirection, write_report
from skyreid.retrieval.ranked_list import RankedTracklet
from skyreid.tracklet import Frame, Platform, Tracklet

HOSTILE = """"><script>window.pwn=1</script>'"""


class Text(HTMLParser):
    """The words that a reader sees, a table row to a line."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.feed(page.split("</style>")[1])

    def handle_starttag(self, tag, attrs):
        self.words.append("\n" if tag == "tr" else " ")

    def handle_data(self, data):
        self.words.append(data.replace("\n", " "))

    def lines(self) -> list[str]:
        return [" ".join(line.split()) for line in "".join(self.words).split("\n")]


def scores(first: float, protocol: EvaluationProtocol) -> Scores:
    return Scores(
        protocol=protocol,
        mAP=first / 2,
        cmc=np.linspace(first, 1, 50),
        queries=1234,
        queries_without_match=5,
        average_precisions=np.array([first / 2]),
    )


@pytest.fixture
def tracklet(tmp_path) -> Tracklet:
    path = tmp_path / "frame.png"
    Image.new("RGB", (20, 40), "red").save(path)
    return Tracklet(tracklet_id=HOSTILE, frames=(Frame(path=str(path)),), pid=1, camid=0, platform=Platform.AERIAL)


def write(path, tracklet, **changes) -> str:
    ranked = (
        RankedTracklet(tracklet=tracklet, similarity=0.9, is_match=True),
        RankedTracklet(tracklet=tracklet, similarity=0.8, is_match=False),
    )
    content = {
        "title": "What training did",
        "summary": "It helped.",
        "notice": "Synthetic data: nobody here exists.",
        "directions": [
            ScoredDirection(
                name="Ground → aerial", before=scores(0.1, GROUND_TO_AERIAL), after=scores(0.6, GROUND_TO_AERIAL)
            ),
            ScoredDirection(name="Aerial → ground", after=scores(0.4, AERIAL_TO_GROUND)),
        ],
        "examples": [RankedExample(name="First", query=tracklet, ranked=ranked)],
        "provenance": {"dataset": "street", "seed": "7"},
    }
    write_report(path, **{**content, **changes})
    return path.read_text(encoding="utf-8")


def test_a_report_shows_every_score_with_its_gain(tmp_path, tracklet):
    lines = Text(write(tmp_path / "report.html", tracklet)).lines()
    assert lines[1:6] == [
        "per cent mAP rank-1 rank-5 rank-10 rank-20 queries without a match",
        "Ground → aerial",
        "before training 5.0 10.0 17.3 26.5 44.9 1,234 5",
        "after training 30.0 60.0 63.3 67.3 75.5 1,234 5",
        "difference +25.0 +50.0 +45.9 +40.8 +30.6",
    ]
    assert lines[6] == "Aerial → ground"
    assert lines[7].startswith("after training 20.0 40.0 44.9 51.0 63.3 1,234 5")


def test_a_report_says_what_it_is_and_where_it_comes_from(tmp_path, tracklet):
    text = " ".join(Text(write(tmp_path / "report.html", tracklet)).lines())
    for words in (
        "Synthetic data: nobody here exists.",
        "What training did",
        "It helped.",
        "Aerial → ground aerial-to-ground: aerial queries against the ground gallery; "
        "tracklets of the same person and the same camera are ignored; cosine similarity, no re-ranking.",
        "dataset street seed 7",
        "1 ✓ same 0.900",
        "2 ✕ different 0.800",
        "A ranking is not an identification.",
    ):
        assert words in text


def test_a_report_puts_the_whole_protocol_into_words(tmp_path, tracklet):
    odd = EvaluationProtocol(name="odd", other_platform_only=True, junk_same_camera=False)
    directions = [ScoredDirection(name="a", after=scores(0.5, MARS)), ScoredDirection(name="b", after=scores(0.5, odd))]
    text = " ".join(Text(write(tmp_path / "report.html", tracklet, directions=directions)).lines())
    assert "mars: all queries against the whole gallery; the queries stand in the gallery too; tracklets of" in text
    assert "odd: all queries against the whole gallery; only tracklets of the other platform are ranked; cosine" in text


def test_a_report_is_one_file_that_runs_and_fetches_nothing(tmp_path, tracklet):
    page = write(tmp_path / "report.html", tracklet)
    assert len(re.findall(r'src="data:image/jpeg;base64,', page)) == len(re.findall(r"src=", page)) == 3
    assert page.count("<svg") == 2
    for sign in ("<script", "<link", "http://", "https://"):
        assert sign not in page


def test_no_text_becomes_markup(tmp_path, tracklet):
    direction = ScoredDirection(name=HOSTILE, before=scores(0.1, MARS), after=scores(0.2, MARS))
    page = write(
        tmp_path / "report.html",
        tracklet,
        title=HOSTILE,
        summary=HOSTILE,
        notice=HOSTILE,
        directions=[direction],
        examples=[RankedExample(name=HOSTILE, query=tracklet, ranked=())],
        provenance={HOSTILE: HOSTILE},
        before_label=HOSTILE,
        after_label=HOSTILE,
    )
    assert "<script" not in page
    assert " ".join(Text(page).lines()).count(HOSTILE) == 14


def test_a_missing_frame_is_refused_and_nothing_is_written(tmp_path, tracklet):
    (tmp_path / "frame.png").unlink()
    with pytest.raises(MissingFrameError, match=re.escape(f"tracklet {HOSTILE}: frame ")):
        write(tmp_path / "report.html", tracklet)
    assert list(tmp_path.iterdir()) == []


def test_pictures_stand_inside_the_page_with_their_captions(tmp_path, tracklet):
    picture = ReportPicture(caption=f"a square {HOSTILE}", jpeg=b"\xff\xd8pixels")
    page = write(tmp_path / "report.html", tracklet, pictures=(picture,))
    assert 'src="data:image/jpeg;base64,/9hwaXhlbHM="' in page
    assert "<script>" not in page
    assert page.index("/9hwaXhlbHM=") < page.index("<h2>Scores</h2>")
