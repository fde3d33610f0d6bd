"""`skyreid case agreement`: how well the people of a case agree, and how many must before a pair counts."""

from skyreid.cli.terminal import File, show_result, who


def case_agreement(case: File, *, require: int | None = None, by: str | None = None, json: bool = False) -> None:
    """Say how well the people of a case agree, or set how many must confirm a pair before it counts.

    With two, a confirmation counts, and leaves the case, when a second person has confirmed the same pair without
    seeing what the first one said.

    Args:
        case: whose people.
        require: how many people must confirm a pair; 2 = four eyes.
        by: who says so.
        json: print JSON.
    """
    from skyreid.cases.case import open_case
    from skyreid.cases.deciding.agreement import read_agreement
    from skyreid.cases.deciding.decisions import require as require_people

    with open_case(case) as opened:
        if require is not None:
            require_people(opened, require, annotator=who(by))
        show_result(read_agreement(opened), json=json)
