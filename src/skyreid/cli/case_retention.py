"""`skyreid case hold|purge|restore`: how long the footage of a case is kept, and what is left of it after that."""

from skyreid.cli.terminal import DONE_IN_PART, File, Note, show_result, who
from skyreid.errors import SettingError


def case_hold(
    case: File, reason: str | None = None, *, end: bool = False, by: str | None = None, json: bool = False
) -> None:
    """Let nothing of a case be deleted, by hand or by date, or end that.

    Args:
        case: that is held.
        reason: why.
        end: let things be deleted again.
        by: who says so.
        json: print JSON.
    """
    from skyreid.cases.case import open_case
    from skyreid.cases.keeping.retention import hold

    if (reason is None) is not end:
        raise SettingError("a legal hold has a --reason, or comes to its --end")
    with open_case(case) as opened:
        hold(opened, reason, by=who(by))
    said = f"on legal hold: {reason}" if reason else "no legal hold"
    show_result(Note([f"{case}: {said}"], {"legal_hold": reason}), json=json)


def case_purge(
    case: File,
    *,
    source: str | None = None,
    prove: str | None = None,
    by: str | None = None,
    json: bool = False,
) -> int:
    """Put a source into the trash, remove what was there for seven days, or prove that something is gone.

    Without an option it does what is due: sources whose date has passed go into the trash, and out of it for good.

    Args:
        case: that is purged.
        source: name of a source for the trash; 'skyreid case restore' brings it back within seven days.
        prove: name of a purged source: look for what is left of it.
        by: who asks.
        json: print JSON.
    """
    from skyreid.cases.case import open_case
    from skyreid.cases.keeping.retention import purge_due, remains, trash_source

    with open_case(case) as opened:
        if prove is not None:
            found = remains(opened, prove)
            said = [f"{prove}: {one}" for one in found] or [f"{prove}: no row, vector, crop or cache is left of it"]
            show_result(Note(said, {"source": prove, "remains": found}), json=json)
            return DONE_IN_PART if found else 0
        if source is not None:
            trash_source(opened, source, by=who(by))
        report = purge_due(opened, by=who(by))
    show_result(report, json=json)
    return 0


def case_restore(case: File, source: str, *, by: str | None = None, json: bool = False) -> None:
    """Bring a source back from the trash of a case.

    Args:
        case: that it is of.
        source: its name.
        by: who asks.
        json: print JSON.
    """
    from skyreid.cases.case import open_case
    from skyreid.cases.keeping.retention import restore_source

    with open_case(case) as opened:
        restore_source(opened, source, by=who(by))
    show_result(Note([f"{source}: is back"], {"source": source}), json=json)
