"""Papers of a case for whoever answers for it: an information sheet, and drafts of two impact assessments.

What is known of this very case is filled in; what a person must judge or say is marked and left open. Accuracy is
quoted from measurements of the models of this case, or said to be unknown. No legal advice.
"""

import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from skyreid.cases.audit import audit_head, utc_now
from skyreid.cases.case import Case, CaseFacts
from skyreid.cases.deciding.standing import read_standing
from skyreid.cases.keeping.retention import TRASH_DAYS
from skyreid.cases.people import RIGHTS, Role
from skyreid.cases.sources import CaseSource, read_sources
from skyreid.cases.tracklets import CaseModel, read_models
from skyreid.evaluation.calibration import Calibration
from skyreid.evaluation.results.result_file import EvaluationResult
from skyreid.files.strict_json import Json
from skyreid.pages.papers_page import Item, Section, Sheet
from skyreid.tracklet import Platform

LEAD = "Filled in from the case as it is; marked places are for a person to fill in. Drafts, and no legal advice."


@dataclass(frozen=True, kw_only=True)
class Papers:
    """The papers of a case."""

    case: str
    is_simulated: bool
    sheets: tuple[Sheet, ...]

    @property
    def num_open(self) -> int:
        """Places that a person must fill in."""
        return sum(bool(item.hint) for sheet in self.sheets for section in sheet.sections for item in section.items)

    def to_json(self) -> dict[str, Json]:
        """What a program reads; null = a person must fill it in."""
        sheets: list[Json] = [
            {
                "title": sheet.title,
                "sections": [
                    {
                        "title": section.title,
                        "items": [
                            {"name": item.name, "words": item.words or None, "to_fill_in": item.hint or None}
                            for item in section.items
                        ],
                    }
                    for section in sheet.sections
                ],
            }
            for sheet in self.sheets
        ]
        return {"case": self.case, "simulated": self.is_simulated, "open": self.num_open, "sheets": sheets}


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What the sheets are filled in from."""

    facts: CaseFacts
    sources: Sequence[CaseSource]
    models: Sequence[CaseModel]
    roles: Mapping[str, Role] | None
    """None = nobody said who may look into the case."""
    num_required: int
    """People who must confirm a pair."""
    head: str
    is_file: bool
    results: Sequence[EvaluationResult]
    calibrations: Sequence[Calibration]


def fill_in_papers(
    case: Case,
    *,
    roles: Mapping[str, Role] | None = None,
    results: Sequence[EvaluationResult] = (),
    calibrations: Sequence[Calibration] = (),
) -> Papers:
    """Fill in the papers of a case.

    Args:
        case: whose.
        roles: who is what in it; None = nobody says.
        results: measurements; those of models that the case does not have are left out.
        calibrations: the same.
    """
    sources, models = read_sources(case), read_models(case)
    hashes = {one.model for one in models}
    with case.database.reading() as connection:
        head = audit_head(connection)
    known = _Known(
        facts=case.facts(),
        sources=sources,
        models=models,
        roles=roles,
        num_required=read_standing(case).state.required,
        head=head,
        is_file=case.database.is_file,
        results=[one for one in results if one.card.model_sha256 in hashes],
        calibrations=[one for one in calibrations if one.model in hashes],
    )
    return Papers(
        case=known.facts.name,
        is_simulated=any(source.is_simulated for source in sources),
        sheets=(_information(known), _data_protection(known), _fundamental_rights(known)),
    )


# Sheets.
def _information(known: _Known) -> Sheet:
    return Sheet(
        title="Information for deployers",
        sections=(
            Section(
                title="What it is",
                items=(
                    Item(
                        "System", f"version {version('skyreid')} of skyreid; this sheet was written on {utc_now()[:10]}"
                    ),
                    Item("Made for", "ranking people whom the other platform saw (ground or drone) by likeness"),
                    Item("Not made for", "telling who somebody is: it knows no names and no faces, and proves nothing"),
                    Item("Provider and contact", hint="who puts it into service here, and whom to ask"),
                ),
            ),
            Section(title="Accuracy", items=tuple(_accuracy(known))),
            Section(
                title="Limits that are known",
                items=(
                    Item(
                        "Appearance changes",
                        "clothes, bags and light change; people who dress alike look alike: a high rank is a hint to "
                        "look, not a finding",
                    ),
                    Item(
                        "Small people",
                        "below 48 pixels of height similarities say little; pages say so where it is the case",
                    ),
                    Item("Who is not found", "people who stand still, are hidden or far away may have no tracklet"),
                    Item("Groups of people", hint="for whom it works worse on footage like yours, and how you know"),
                ),
            ),
            Section(
                title="Data and log",
                items=(
                    Item("Footage", _footage(known)),
                    Item("Faces", _faces(known)),
                    Item(
                        "Log",
                        "logins, searches, tracklets that were looked at, decisions, exports and deletions, with who "
                        f"and when; each row follows from the one before; it ends with {known.head}",
                    ),
                    Item("Human oversight", _oversight(known)),
                ),
            ),
        ),
    )


def _data_protection(known: _Known) -> Sheet:
    return Sheet(
        title="Data protection impact assessment (draft)",
        sections=(
            Section(
                title="The processing",
                items=(
                    Item("Controller", hint="name, contact, data protection officer"),
                    Item("Purposes", _purposes(known)),
                    Item("Legal basis", _authorisations(known), hint="law and paragraph, or consent"),
                    Item("People concerned", "everybody whom the footage shows, wanted or not"),
                    Item(
                        "Data",
                        f"{_footage(known)}; crops, boxes and times of people, vectors of their appearance, decisions "
                        "of those who look",
                    ),
                    Item("Where it lies", _place(known), hint="the room, the disk and who else has access to it"),
                    Item("Who may look", _roles(known), hint="names of the people and why each needs it"),
                    Item("Passed on to", hint="who receives exports, and on what ground"),
                ),
            ),
            Section(
                title="Necessity and proportion",
                items=(
                    Item("Why this footage", hint="why these cameras, this place and this time, and not less"),
                    Item("Milder means", hint="what else was considered, and why it does not do"),
                    Item("How long", _retention(known)),
                    Item("Rights of the people", hint="how they are told, and how they get access or deletion"),
                ),
            ),
            Section(
                title="Risks and what is done about them",
                items=(
                    Item(
                        "Somebody is taken for somebody else",
                        f"{_oversight(known)}; the sentence that appearance proves no identity stands on every result",
                        hint="how likely and how grave it is here, and what happens to whoever is concerned",
                    ),
                    Item(
                        "People are looked at who are not wanted",
                        f"{_faces(known)}; originals only for examiners, with a reason that the log keeps",
                        hint="how likely and how grave it is here",
                    ),
                    Item(
                        "Somebody uses it for another purpose",
                        "every source has a purpose, rights hold for one case only, and a changed log shows itself",
                        hint="who reads the log, and how often",
                    ),
                    Item(
                        "Data get out",
                        "other machines reach the server only encrypted; passwords and sessions are kept as hashes; "
                        "exports are logged with their hash",
                        hint="encryption of the disk, backups, and what to do when it happens",
                    ),
                    Item("Risk that is left", hint="the verdict, who made it, and when it is looked at again"),
                ),
            ),
        ),
    )


def _fundamental_rights(known: _Known) -> Sheet:
    return Sheet(
        title="Fundamental rights impact assessment (draft)",
        sections=(
            Section(
                title="The use",
                items=(
                    Item("Process", _purposes(known), hint="the process in which it is used, step by step"),
                    Item("Period and frequency", _retention(known), hint="from when to when, and how often"),
                    Item(
                        "People and groups concerned",
                        "everybody whom the footage shows",
                        hint="groups who are there more often than others, children, assemblies, workers",
                    ),
                ),
            ),
            Section(
                title="Harm and oversight",
                items=(
                    Item(
                        "Risks of harm",
                        hint="to private life, assembly, expression, equal treatment, presumption of innocence",
                    ),
                    Item("Human oversight", _oversight(known), hint="who they are, their training and their time"),
                    Item("When harm happens", hint="who decides, who is told, how it is undone, where to complain"),
                    Item("Authority told", hint="whether and when the results were notified"),
                ),
            ),
        ),
    )


# What is known.
def _accuracy(known: _Known) -> Iterator[Item]:
    if not known.models:
        yield Item("Model", "none: nobody in this case can be searched yet")
    for model in known.models:
        saw = "before faces were covered" if model.seen_unmasked else "with covered faces"
        told = f"{model.model} ({model.num_vectors} vectors of {model.width} numbers; it saw people {saw})"
        yield Item(f"Model {model.number}", told)
        results = [one for one in known.results if one.card.model_sha256 == model.model]
        for result in results:
            yield Item("Measured", _measured(result))
        for one in (each for each in known.calibrations if each.model == model.model):
            yield Item("Threshold", _calibrated(one))
        if not results:
            yield Item(
                f"Accuracy of model {model.number}",
                hint="nobody has measured this model as far as this case knows; measure it on footage like yours "
                "(skyreid evaluate) and name the result with --result",
            )
    yield Item("On this footage", hint="how well it does here: a sample that somebody checked by hand")


def _measured(result: EvaluationResult) -> str:
    scores = [f"{name} {one.value:.1%} ({one.low:.1%} to {one.high:.1%})" for name, one in result.scores.items()]
    return f"{', '.join(scores)}; {result.queries} queries. {result.card.in_words().removesuffix('.')}"


def _calibrated(one: Calibration) -> str:
    gallery = one.gallery
    return (
        f"{one.protocol}: at a similarity of {gallery.threshold:.3f} or more, {gallery.false_positives} of "
        f"{gallery.queries} queries were answered with somebody else; {gallery.false_negative_identification_rate:.1%} "
        "of those with a match were missed"
    )


def _purposes(known: _Known) -> str:
    return "; ".join(dict.fromkeys(source.purpose for source in known.sources))


def _authorisations(known: _Known) -> str:
    return "; ".join(dict.fromkeys(source.authorisation for source in known.sources if source.authorisation))


def _footage(known: _Known) -> str:
    counts = Counter(source.platform for source in known.sources)
    cameras = sorted({source.camera for source in known.sources})
    by_platform = " and ".join(f"{counts[one]} from {_SIDES[one]}" for one in Platform if counts[one])
    people = sum(source.num_tracklets for source in known.sources)
    return f"{by_platform} (cameras: {', '.join(cameras)}), {people} tracklets" if cameras else "none yet"


_SIDES = {Platform.GROUND: "the ground", Platform.AERIAL: "the air"}


def _faces(known: _Known) -> str:
    styles = set()
    for source in known.sources:
        faces = source.settings.get("faces")
        if isinstance(faces, Mapping):
            styles.add(f"{faces.get('style')}, found by {faces.get('detector')}")
    told = f" ({'; '.join(sorted(styles))})" if styles else ""
    return f"covered where a person could be recognised, before anything was written{told}"


def _retention(known: _Known) -> str:
    last = max((source.retain_until[:10] for source in known.sources), default=None)
    told = f"{known.facts.retention_days} days from when footage comes in"
    told += f", the last until {last}" if last else ""
    told += f"; then {TRASH_DAYS} days in the trash, then gone with crops, vectors and caches; the log stays"
    return told + (f"; held at present: {known.facts.legal_hold}" if known.facts.legal_hold else "")


def _oversight(known: _Known) -> str:
    count = "one person confirms" if known.num_required == 1 else f"{known.num_required} people must confirm"
    return f"the system decides nothing: {count} each pair, and every decision can be taken back"


def _place(known: _Known) -> str:
    database = "a file in the folder of the case" if known.is_file else "PostgreSQL"
    return f"machine {platform.node()}; database: {database}"


def _roles(known: _Known) -> str:
    if known.roles is None:
        return ""
    counts = Counter(known.roles.values())
    told = [f"{counts[role]} {role} ({', '.join(sorted(RIGHTS[role]))})" for role in Role if counts[role]]
    return "; ".join([*told, "administrators of the server, who may do all of that"])
