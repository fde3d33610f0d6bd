import re

from skyreid.evaluation.ranking_examples import ExampleKind
from skyreid.pages.report.cases.ranked_example import RankedExample, example_section
from tests.pages.report.reading import words
from tests.pages.report.small_world import HOSTILE


def test_the_first_list_of_each_kind_is_open_and_says_its_kind(world):
    query = world.tracklets["ground-1"]
    kinds = [ExampleKind.BEST, ExampleKind.BEST, ExampleKind.NEAR_MISS, ExampleKind.WORST, None, ExampleKind.WORST]
    section = example_section(
        [RankedExample(name=f"list {n}", query=query, ranked=(), kind=k) for n, k in enumerate(kinds)]
    )
    assert section is not None
    summaries = re.findall(r'<details class="example"( open)?>\n<summary>(.*?)</summary>', section.html())
    assert [(bool(opened), words(summary)) for opened, summary in summaries] == [
        (True, "✓ best list 0"),
        (False, "✓ best list 1"),
        (True, "≈ near miss list 2"),
        (True, "✕ worst list 3"),
        (True, "list 4"),
        (False, "✕ worst list 5"),
    ]


def test_a_name_never_becomes_markup(world):
    section = example_section([RankedExample(name=HOSTILE, query=world.tracklets["ground-1"], ranked=())])
    assert section is not None
    assert HOSTILE in words(section.html())


def test_without_examples_there_is_no_section():
    assert example_section([]) is None
