"""`skyreid case papers`: what whoever answers for a case must write down, filled in as far as it is known."""

from pathlib import Path

from skyreid.cli.search import Several
from skyreid.cli.terminal import File, Note, show_result, who


def case_papers(
    case: File,
    out: Path,
    *,
    result: Several = (),
    calibration: Several = (),
    by: str | None = None,
    json: bool = False,
) -> None:
    """Write an information sheet and drafts of impact assessments, filled in from the case.

    Args:
        case: that they are about.
        out: the page (.html) to write.
        result: file of `skyreid evaluate` for a model of the case; may be given several times. Without one, no accuracy
            is stated.
        calibration: file of `skyreid calibrate` for a model of the case.
        by: who asks.
        json: print JSON.
    """
    from skyreid.cases.audit import record
    from skyreid.cases.case import open_case
    from skyreid.cases.exports.papers import LEAD, fill_in_papers
    from skyreid.cases.people_database import has_people, open_people
    from skyreid.evaluation.calibration import load_calibration
    from skyreid.evaluation.results.result_file import read_result
    from skyreid.pages.papers_page import write_papers_page

    results, calibrations = [read_result(one) for one in result], [load_calibration(one) for one in calibration]
    with open_case(case) as opened:
        roles = None
        folder = opened.folder.resolve().parent
        if has_people(folder):
            people = open_people(folder)
            roles = people.roles(opened.facts().case_id)
            people.close()
        papers = fill_in_papers(opened, roles=roles, results=results, calibrations=calibrations)
        write_papers_page(out, papers.sheets, case=papers.case, lead=LEAD, is_simulated=papers.is_simulated)
        with opened.database.writing() as connection:
            record(connection, who(by), "papers", out.name)
    said = f"{out}: {len(papers.sheets)} papers, {papers.num_open} places for a person to fill in"
    show_result(Note([said], {"out": str(out), **papers.to_json()}), json=json)
