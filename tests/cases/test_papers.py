"""Papers of a case: what is known is filled in, what is not is marked, and no accuracy is made up."""

import re

from skyreid.cases.exports.papers import fill_in_papers
from skyreid.cases.people import Role
from skyreid.cli import main
from skyreid.evaluation.results.result_file import write_result
from tests.cases.builds import MODEL
from tests.evaluation.results.result_examples import example_result


def words_of(papers):
    items = [item for sheet in papers.sheets for part in sheet.sections for item in part.items]
    return {item.name: item for item in items}


def test_without_a_measurement_no_accuracy_is_stated(case):
    papers = fill_in_papers(case, results=[example_result(model_sha256="f" * 64)])
    told = words_of(papers)
    assert "Measured" not in told and "nobody has measured" in told["Accuracy of model 1"].hint
    assert not any(re.search(r"\d ?%", item.words) for item in told.values())
    assert papers.num_open == sum(bool(item.hint) for item in told.values()) > 10


def test_a_measurement_of_a_model_of_the_case_is_quoted_with_its_card(case):
    told = words_of(fill_in_papers(case, results=[example_result(model_sha256=MODEL)]))
    assert "rank-1 33.3%" in told["Measured"].words and "g2a-vreid, split release" in told["Measured"].words
    assert "Accuracy of model 1" not in told


def test_what_the_case_is_stands_in_them(case):
    told = words_of(fill_in_papers(case, roles={"anna": Role.EXAMINER, "bert": Role.VIEWER}))
    assert told["Purposes"].words == "a test" and "one person confirms each pair" in told["Human oversight"].words
    assert "30 days" in told["How long"].words and "the log stays" in told["How long"].words
    assert "1 examiner" in told["Who may look"].words and "see originals" in told["Who may look"].words
    assert words_of(fill_in_papers(case))["Who may look"].words == ""


def test_the_page_marks_what_is_open_and_escapes_what_somebody_typed(copied, tmp_path, capsys):
    write_result(tmp_path / "result.json", example_result(model_sha256=MODEL, dataset="<b>town</b>"))
    out = tmp_path / "papers.html"
    assert main(["case", "papers", str(copied), "--out", str(out), "--result", str(tmp_path / "result.json")]) == 0
    page = out.read_text()
    assert "&lt;b&gt;town" in page and "<b>town" not in page and page.count("To fill in:") > 10
    assert "3 papers" in capsys.readouterr().out
