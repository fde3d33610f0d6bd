"""What an address asks of a search: with whom, where to look, and how the list is shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Depends, Query

from skyreid.building.tracked_boxes import Box
from skyreid.retrieval.filters import Filters, read_moment
from skyreid.service.asked import LARGEST_NUMBER, To

_Word = Annotated[str, Query(max_length=200)]
_OF_PICTURE = ("picture", "source", "at", "x", "y", "w", "h")
_Place = Annotated[int, Query(ge=1, le=LARGEST_NUMBER)]


@dataclass(frozen=True, kw_only=True)
class SearchWanted:
    """A search as an address names it; whoever has the address finds the same again."""

    t: Annotated[Sequence[_Place], Query(max_length=20, description="numbers of tracklets; several ask as one")] = ()
    text: Annotated[str, Query(max_length=300, description="description of a person")] = ""
    picture: Annotated[str, Query(max_length=60, description="token of a picture that was sent")] = ""
    source: Annotated[
        int, Query(ge=0, le=LARGEST_NUMBER, description="number, to ask with a frame of it; 0 = none")
    ] = 0
    at: Annotated[float, Query(ge=0, le=1e6, description="seconds after the first frame of the source")] = 0.0
    x: Annotated[float, Query(ge=-1e5, le=1e5, description="left edge of the person's box, in pixels")] = 0.0
    y: Annotated[float, Query(ge=-1e5, le=1e5, description="upper edge")] = 0.0
    w: Annotated[float, Query(ge=0, le=1e5, description="width; 0 = the whole picture shows the person")] = 0.0
    h: Annotated[float, Query(ge=0, le=1e5, description="height")] = 0.0
    to: Annotated[To, Query(description="platform; other = the one from which the query was not seen")] = "other"
    camera: Annotated[Sequence[_Word], Query(max_length=100, description="names; none = all")] = ()
    after: Annotated[str, Query(max_length=60, description="a time of day, or seconds in the video")] = ""
    before: Annotated[str, Query(max_length=60, description="as after")] = ""
    speed: Annotated[
        float, Query(ge=0, le=100, description="metres a second: leaves out who cannot have come so fast; 0 = nobody")
    ] = 0.0
    floor: Annotated[float, Query(ge=-1, le=1, description="of the similarity; -1 = none")] = -1.0
    k: Annotated[int, Query(ge=1, le=1_000)] = 20
    decided: Annotated[bool, Query(description="also those who are decided on")] = False
    refine: Annotated[bool, Query(description="order by what was decided on the query, not by similarity alone")] = True
    each: Annotated[bool, Query(description="near-identical sightings one by one, not as a stack")] = False
    columns: Annotated[Literal["auto", "1", "2", "3", "4", "5", "6"], Query(description="of the page")] = "auto"

    def address(self, **changed: object) -> str:
        """Give the query part of the address of this search, or of one like it; what is usual is left out."""
        asked, usual = vars(replace(self, **changed)), vars(SearchWanted())
        return urlencode({name: value for name, value in asked.items() if value != usual[name]}, doseq=True)

    @property
    def box(self) -> Box | None:
        """Of the person in the picture or frame, xyxy; None = all of it shows them."""
        return (self.x, self.y, self.x + self.w, self.y + self.h) if self.w and self.h else None

    @property
    def asked_with(self) -> tuple[tuple[str, object], ...]:
        """What names who is asked with, in an address or a form."""
        usual = vars(SearchWanted())
        told = [(name, getattr(self, name)) for name in ("text", *_OF_PICTURE) if getattr(self, name) != usual[name]]
        return (*(("t", number) for number in self.t), *told)

    @property
    def picture_address(self) -> str:
        """The query part of the address of the picture or frame; "" = there is none."""
        return urlencode([(name, value) for name, value in self.asked_with if name in _OF_PICTURE])

    @property
    def filters(self) -> Filters:
        """What a candidate must fulfil.

        Raises:
            SettingError: a moment that is none.
        """
        after, before = (read_moment(text) if text else None for text in (self.after, self.before))
        return Filters(cameras=tuple(filter(None, self.camera)), after=after, before=before)


WantedSearch = Annotated[SearchWanted, Depends()]
