"""The settings and the list of sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from osc_bridge.fields import ShortText, Value
from osc_bridge.message import Message, Rows
from osc_bridge.messages.base import Request, Result, Setting
from osc_bridge.ranges import (
    CAT_ID,
    FIELD,
    GAIN_DB,
    KIND,
    MUTE,
    NEXT_PAGE,
    OWN_DURATION,
    PAGE,
    PAN,
    PIXEL,
    REVISION,
    SCENE,
    SEED,
    SETTABLE,
    SETTING,
    SOLO,
    SOURCE,
    START,
    STORED,
    TOTAL,
    WEIGHT,
)
from osc_bridge.spec import Spec
from osc_bridge.texts import cut_to_bytes

_ECHO_BYTES = 800
"""Most of a text that the answer repeats, so that it fits a datagram."""


@dataclass(frozen=True)
class SourceChanged(Setting, Result):
    """The field and the value that it has now, on disk; of a long text its beginning.

    >>> SourceChanged("alley", "s1", "mute", 1).arguments()[2:]
    [('s', 'mute'), ('T', True)]
    """

    settable: ClassVar[dict[str, Spec]] = SETTABLE
    scene: Annotated[str, SCENE]
    source: Annotated[str, SOURCE]
    field: Annotated[str, FIELD]
    value: Annotated[Value, SETTING]

    def __post_init__(self) -> None:
        """Check the fields and the value."""
        super().__post_init__()
        if isinstance(self.value, str):
            object.__setattr__(self, "value", cut_to_bytes(self.value, _ECHO_BYTES))


@dataclass(frozen=True)
class SetSource(Setting, Request[SourceChanged]):
    """Set one field of one source (see the table of settable fields).

    >>> SetSource("alley", "s1", "gain_db", -6).on_wire(14)
    '/wildtrack/source/set ,hsssd 14 "alley" "s1" "gain_db" -6.0'
    """

    address: ClassVar[str] = "/source/set"
    reply: ClassVar[type[Result]] = SourceChanged
    edits: ClassVar[bool] = True
    settable: ClassVar[dict[str, Spec]] = SETTABLE
    scene: Annotated[str, SCENE]
    source: Annotated[str, SOURCE]
    field: Annotated[str, FIELD]
    value: Annotated[Value, SETTING]


@dataclass(frozen=True)
class SourceRow(Message):
    """One source as a list shows it; a source without a box has 0, 0, 0, 0.

    >>> len(SourceRow("s1", "text", "rain").arguments())
    19
    """

    source: Annotated[str, SOURCE]
    kind: Annotated[str, KIND]
    label: Annotated[str, ShortText(80, "label for people", "dog")]
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
    duration_samples: Annotated[int, OWN_DURATION] = 0
    chain: Annotated[str, ShortText(100, "effect chain preset; empty = none", "far")] = ""
    cat_id: Annotated[str, CAT_ID] = ""
    text: Annotated[str, ShortText(200, "what should sound, in words; empty = no text", "")] = ""
    media: Annotated[str, STORED] = ""


@dataclass(frozen=True)
class SourcePage(Result):
    """One page of the sources of a scene; pages of different revisions do not belong together.

    >>> SourcePage("alley", 12, 0, -1, 0, ()).arguments()
    [('s', 'alley'), ('h', 12), ('i', 0), ('i', -1), ('i', 0)]
    """

    scene: Annotated[str, SCENE]
    revision: Annotated[int, REVISION]
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
