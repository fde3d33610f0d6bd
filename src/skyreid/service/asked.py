"""What an address or a form may ask, and how large it may be: the same for pages and programs."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Form, Path, Query

LARGEST_NUMBER = 2**62
Number = Annotated[int, Path(ge=1, le=LARGEST_NUMBER)]
"""Of a tracklet, in the path."""
FormNumber = Annotated[int, Form(ge=1, le=LARGEST_NUMBER)]
EventId = Annotated[str, Form(max_length=200)]
BeforeRow = Annotated[int | None, Query(ge=1, le=LARGEST_NUMBER)]
"""Number of a row of the log."""
To = Literal["other", "ground", "aerial", "any"]
"""Platform to search; other = the one from which the query was not seen."""
_Word = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the grid is to show."""

    platform: Literal["", "ground", "aerial"] = ""
    camera: _Word = ""
    after: _Word = ""
    before: _Word = ""
    state: Literal["any", "open", "confirmed"] = "any"
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1
    each: Annotated[bool, Query(description="near-identical sightings one by one, not as a stack")] = False
    size: Annotated[int, Query(ge=1, le=4, description="of the pictures of the page")] = 2


WantedOfAddress = Annotated[Wanted, Depends()]
