"""The settings and the list of sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from osc_bridge.errors import BadArguments
from osc_bridge.fields import Value
from osc_bridge.message import Message, Rows
from osc_bridge.messages.base import Request, Result
from osc_bridge.ranges import (
    CAT_ID,
    CHAIN,
    FIELD,
    GAIN_DB,
    KIND,
    LABEL,
    MUTE,
    NEXT_PAGE,
    PAGE,
    PAN,
    PIXEL,
    SCENE,
    SEED,
    SETTABLE,
    SETTING,
    SOLO,
    SOURCE,
    START,
    TOTAL,
    WEIGHT,
)


class _Setting(Message):
    """One field of one source with a value that the field allows."""

    field: str
    value: Value

    def __post_init__(self) -> None:
        """Check the fields, then the value by the table of settable fields."""
        if isinstance(self.field, str) and self.field not in SETTABLE:
            raise BadArguments(
                f"field is {self.field[:40]!r}: one of {', '.join(SETTABLE)} can be set; "
                "name one of these."
            )
        super().__post_init__()
        object.__setattr__(self, "value", SETTABLE[self.field].check(self.field, self.value))


@dataclass(frozen=True)
class SourceChanged(_Setting, Result):
    """The field and the value that it has now.

    >>> SourceChanged("alley", "s1", "mute", 1).arguments()[2:]
    [('s', 'mute'), ('T', True)]
    """

    scene: Annotated[str, SCENE]
    source: Annotated[str, SOURCE]
    field: Annotated[str, FIELD]
    value: Annotated[Value, SETTING]


@dataclass(frozen=True)
class SetSource(_Setting, Request[SourceChanged]):
    """Set one field of one source (see the table of settable fields).

    >>> SetSource("alley", "s1", "gain_db", -6).on_wire(14)
    '/wildtrack/source/set ,hsssd 14 "alley" "s1" "gain_db" -6.0'
    """

    address: ClassVar[str] = "/source/set"
    reply: ClassVar[type[Result]] = SourceChanged
    scene: Annotated[str, SCENE]
    source: Annotated[str, SOURCE]
    field: Annotated[str, FIELD]
    value: Annotated[Value, SETTING]


@dataclass(frozen=True)
class SourceRow(Message):
    """One source as a list shows it; a source without a box has 0, 0, 0, 0.

    >>> len(SourceRow("s1", "text", "rain").arguments())
    16
    """

    source: Annotated[str, SOURCE]
    kind: Annotated[str, KIND]
    label: Annotated[str, LABEL]
    x0: Annotated[int, PIXEL] = 0
    y0: Annotated[int, PIXEL] = 0
    x1: Annotated[int, PIXEL] = 0
    y1: Annotated[int, PIXEL] = 0
    weight: Annotated[float, WEIGHT] = 1.0
    gain_db: Annotated[float, GAIN_DB] = 0.0
    pan: Annotated[float, PAN] = 0.0
    mute: Annotated[bool, MUTE] = False
    solo: Annotated[bool, SOLO] = False
    seed: Annotated[int, SEED] = 0
    start_sample: Annotated[int, START] = 0
    chain: Annotated[str, CHAIN] = ""
    cat_id: Annotated[str, CAT_ID] = ""


@dataclass(frozen=True)
class SourcePage(Result):
    """One page of the sources of a scene (`osc_bridge.paging` cuts the pages).

    >>> SourcePage("alley", 0, -1, 0, ()).arguments()
    [('s', 'alley'), ('i', 0), ('i', -1), ('i', 0)]
    """

    scene: Annotated[str, SCENE]
    page: Annotated[int, PAGE]
    next_page: Annotated[int, NEXT_PAGE]
    total: Annotated[int, TOTAL]
    rows: Annotated[tuple[SourceRow, ...], Rows(SourceRow, "the sources of this page")]


@dataclass(frozen=True)
class ListSources(Request[SourcePage]):
    """List the sources of a scene, page by page.

    >>> ListSources("alley").on_wire(15)
    '/wildtrack/source/list ,hsi 15 "alley" 0'
    """

    address: ClassVar[str] = "/source/list"
    reply: ClassVar[type[Result]] = SourcePage
    scene: Annotated[str, SCENE]
    page: Annotated[int, PAGE] = 0
