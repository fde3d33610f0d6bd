from skyreid.evaluation.results.result_tables import to_latex, to_markdown
from tests.evaluation.results.result_examples import CARD, example_result

PLAIN = example_result(scores={"mAP": 0.5})
RERANKED = example_result(scores={"mAP": 0.6}, ranker="k-reciprocal (20, 6, 0.3)")
CAPTION = f"Per cent, in brackets 95% intervals by bootstrap over identities. {CARD.in_words()}"
REST = "58.3 [29.2, 79.2]"
RANKS = f"{REST} | 33.3 [16.7, 66.7] | {REST} | {REST} | {REST}"


def test_a_table_has_its_protocol_above_and_reranked_rows_below():
    assert to_markdown([RERANKED, PLAIN]) == (
        f"{CAPTION}\n\n"
        "| model | ranking | mAP | mINP | rank-1 | rank-5 | rank-10 | rank-20 | queries |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        f"| vsla-clip, seed 0 | cosine | 50.0 [25.0, 75.0] | {RANKS} | 5 |\n"
        f"| vsla-clip, seed 0 | k-reciprocal (20, 6, 0.3) | 60.0 [30.0, 80.0] | {RANKS} | 5 |\n"
    )


def test_latex_is_a_booktabs_table_with_reranked_rows_below_a_rule():
    text = to_latex([RERANKED, PLAIN])
    rows = RANKS.replace("|", "&")
    assert text.splitlines() == [
        "\\begin{table}",
        f"\\caption{{{CAPTION.replace('%', chr(92) + '%')}}}",
        "\\centering",
        "\\begin{tabular}{llrrrrrrr}",
        "\\toprule",
        "model & ranking & mAP & mINP & rank-1 & rank-5 & rank-10 & rank-20 & queries \\\\",
        "\\midrule",
        f"vsla-clip, seed 0 & cosine & 50.0 [25.0, 75.0] & {rows} & 5 \\\\",
        "\\midrule",
        f"vsla-clip, seed 0 & k-reciprocal (20, 6, 0.3) & 60.0 [30.0, 80.0] & {rows} & 5 \\\\",
        "\\bottomrule",
        "\\end{tabular}",
        "\\end{table}",
    ]


def test_unlike_protocols_never_share_a_table():
    other = example_result(sampling="all-frames")
    for text, heading in ((to_markdown([PLAIN, other, PLAIN]), "| model |"), (to_latex([PLAIN, other]), "\\toprule")):
        assert text.count(heading) == 2
    assert "all-frames" not in to_markdown([PLAIN, other, PLAIN]).split("\n\n")[0]


def test_a_checkpoint_chosen_on_the_test_set_shares_a_table_with_nobody():
    best = example_result(checkpoint_rule="best on test")
    text = to_markdown([best, best, PLAIN])
    assert text.count("| model |") == 3
    assert text.count("checkpoint: best on test") == 2


def test_simulated_scores_say_so_in_the_caption_and_in_every_row():
    for text in (to_markdown([example_result(simulated=True)]), to_latex([example_result(simulated=True)])):
        assert "SIMULATED DATA: nobody here exists; never to be set beside scores on real footage." in text
        assert "vsla-clip, seed 0 (SIMULATED)" in text


def test_a_score_that_only_some_have_gets_a_column_with_gaps():
    text = to_markdown([example_result(scores={"mAP@20": 0.25}), example_result(seed=None)])
    lines = text.splitlines()
    assert "| rank-20 | mAP@20 | queries |" in lines[2]
    assert lines[4].endswith("| 25.0 [12.5, 62.5] | 5 |")
    assert lines[5].startswith("| vsla-clip | cosine ")
    assert lines[5].endswith("| - | 5 |")


def test_names_cannot_break_out_of_a_table():
    hostile = example_result(model="a|b<c\n_1&2%{\\input}")
    assert "| a\\|b&lt;c _1&2%{\\input}, seed 0 |" in to_markdown([hostile])
    assert ("\na\\textbar{}b\\textless{}c \\_1\\&2\\%\\{\\textbackslash{}input\\}, seed 0 & cosine & ") in to_latex(
        [hostile]
    )
