"""Every message of the protocol: one frozen dataclass each, with its address and its reply.

A request travels as ``ROOT + address``, its int64 request id first, then its fields in order;
trailing fields with a default may be left out. It ends in exactly one `Done`, `Fail` or
`CancelledReply` (`osc_bridge.events`). Making an instance checks it, on either side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from osc_bridge.errors import BadArguments, OutOfRange
from osc_bridge.fields import (
    INT32_MAX,
    INT64_MAX,
    AnyValue,
    Choice,
    FilePath,
    Flag,
    Int,
    Many,
    Pattern,
    Real,
    Spec,
    Text,
    Value,
)
from osc_bridge.message import ROOT, Message, Rows, readable

API_MAJOR = 1
API_MINOR = 0

SAMPLE_MAX = 192_000 * 86_400
DURATION_MAX = 48_000 * 600
SOURCES_MAX = 64

STEMS_MODES = ("independent", "consistent")
QUALITIES = ("preview", "final")
SOURCE_KINDS = ("global", "image", "region", "text", "audio")

_IDENT = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
_IDENT_ALLOWED = "1 to 64 letters, digits, - or _ (the first a letter or digit)"

SCENE = Pattern(_IDENT, _IDENT_ALLOWED, "scene id from /scene/new", "alley")
SOURCE = Pattern(_IDENT, _IDENT_ALLOWED, "source id from /source/add or /source/list", "s1")
TAKE = Pattern(_IDENT, _IDENT_ALLOWED, "take id", "t0001")
NAME = Text(1, 80, "name for people", "Alley at night")
LABEL = Text(0, 80, "label for people; may be empty", "dog")
WORDS = Text(1, 400, "what should sound", "a dog barks behind a door")
FILE = FilePath("a file inside the allowed folders", "/session/frame.png")
CLIP = FilePath("an audio file inside the allowed folders", "/session/wind.wav")
START = Int(0, SAMPLE_MAX, "samples", "start, relative to the scene's start", 24000)
MIDNIGHT = Int(0, SAMPLE_MAX, "samples since midnight", "start of the scene", 172800000)
DURATION = Int(1, DURATION_MAX, "samples at 48 kHz", "length; the pack may allow less", 192000)
SEED = Int(0, INT64_MAX, "", "seed: the same seed gives the same sound", 7)
WEIGHT = Real(0.0, 4.0, "", "weight in the remix", 1.0)
GAIN_DB = Real(-60.0, 12.0, "dB", "gain of the stem", -6.0)
PAN = Real(-1.0, 1.0, "(-1 left, 1 right)", "place of the stem", 0.25)
MUTE = Flag("leave the stem out of what is heard", example=False)
SOLO = Flag("hear only the solo stems", example=False)
CHAIN = Text(0, 100, "effect chain preset; empty = none", "far")
CAT_ID = Pattern(r"[A-Za-z0-9]{0,16}", "0 to 16 letters or digits", "UCS CatID", "ANMLDog")
KIND = Choice(SOURCE_KINDS, "what the source was made of", "region")
PIXEL = Int(0, 60_000, "pixels", "edge of the box; x1 and y1 lie outside it", 64, tag="i")
PAGE = Int(0, INT32_MAX, "", "page of the list, from 0", 0, tag="i")
NEXT_PAGE = Int(-1, INT32_MAX, "", "the next page, or -1 on the last", -1, tag="i")
TOTAL = Int(0, INT32_MAX, "", "rows on all pages together", 1, tag="i")
COUNT = Int(0, INT32_MAX, "", "how many", 0, tag="i")
UPTIME_S = Real(0.0, 1e9, "s", "since the engine was ready", 12.5)
PROGRAM = Text(1, 80, "program and version", "wildtrack 0.1.0")
API_MAJOR_FIELD = Int(0, 1_000_000, "", "API major: must be equal", API_MAJOR, tag="i")
API_MINOR_FIELD = Int(0, 1_000_000, "", "API minor", API_MINOR, tag="i")
JOB = Int(1, INT64_MAX, "", "request id of the job", 12)

SETTABLE: dict[str, Spec] = {
    "label": LABEL,
    "weight": WEIGHT,
    "gain_db": GAIN_DB,
    "pan": PAN,
    "mute": MUTE,
    "solo": SOLO,
    "seed": SEED,
    "start_sample": START,
    "chain": CHAIN,
    "cat_id": CAT_ID,
}
"""The fields of a source that ``/source/set`` accepts, each with its range and unit."""

FIELD = Choice(tuple(SETTABLE), "field of the source", "gain_db")
SETTING = AnyValue("its new value", -6.0, "as the field allows (table of settable fields)")


class Result(Message):
    """What a request ends in when all went well; the results of ``/wildtrack/done``."""


R = TypeVar("R", bound=Result)


class Request(Message, Generic[R]):
    """What a client asks; ``address`` without the root, ``reply`` the class of its result."""

    address: ClassVar[str]
    reply: ClassVar[type[Result]]

    def on_wire(self, request_id: int) -> str:
        """The message as a person reads it (`osc_bridge.wire` makes the bytes)."""
        return readable(ROOT + self.address, [("h", request_id), *self.arguments()])


@dataclass(frozen=True)
class Welcome(Result):
    """The engine's greeting.

    >>> Welcome(1, 0, "wildtrack 0.1.0", "/session", 64).arguments()[:2]
    [('i', 1), ('i', 0)]
    """

    api_major: Annotated[int, API_MAJOR_FIELD]
    api_minor: Annotated[int, API_MINOR_FIELD]
    program: Annotated[str, PROGRAM]
    session: Annotated[str, FilePath("session folder of the engine", "/session")]
    sources_max: Annotated[int, Int(1, 4096, "sources", "most in a scene", SOURCES_MAX, tag="i")]


@dataclass(frozen=True)
class Hello(Request[Welcome]):
    """Say which API the client speaks; another major is refused with IncompatibleApi.

    >>> Hello(1, 0, "demo").on_wire(7)
    '/wildtrack/hello ,hiis 7 1 0 "demo"'
    """

    address: ClassVar[str] = "/hello"
    reply: ClassVar[type[Result]] = Welcome
    api_major: Annotated[int, API_MAJOR_FIELD]
    api_minor: Annotated[int, API_MINOR_FIELD] = API_MINOR
    client: Annotated[str, Text(0, 80, "name of the client, for the log", "demo")] = ""


@dataclass(frozen=True)
class Pong(Result):
    """The engine lives.

    >>> Pong(12.5).arguments()
    [('d', 12.5)]
    """

    uptime_s: Annotated[float, UPTIME_S]


@dataclass(frozen=True)
class Ping(Request[Pong]):
    """Is the engine there? Answered at once, also during a render.

    >>> Ping().on_wire(7)
    '/wildtrack/ping ,h 7'
    """

    address: ClassVar[str] = "/ping"
    reply: ClassVar[type[Result]] = Pong


@dataclass(frozen=True)
class EngineStatus(Result):
    """Pack, device, queue, memory and age of the engine.

    >>> EngineStatus("starter", "cpu", 1, 0, 1, 600_000_000, 12.5).arguments()[1:3]
    [('s', 'cpu'), ('i', 1)]
    """

    pack: Annotated[str, Text(0, 80, "model pack", "starter")]
    device: Annotated[str, Text(0, 40, "torch device", "cpu")]
    jobs_running: Annotated[int, COUNT]
    jobs_waiting: Annotated[int, COUNT]
    scenes: Annotated[int, COUNT]
    memory_bytes: Annotated[int, Int(0, INT64_MAX, "bytes", "resident memory", 600_000_000)]
    uptime_s: Annotated[float, UPTIME_S]


@dataclass(frozen=True)
class Status(Request[EngineStatus]):
    """How the engine is.

    >>> Status().on_wire(8)
    '/wildtrack/status ,h 8'
    """

    address: ClassVar[str] = "/status"
    reply: ClassVar[type[Result]] = EngineStatus


@dataclass(frozen=True)
class SceneMade(Result):
    """The id of the new scene.

    >>> SceneMade("alley").arguments()
    [('s', 'alley')]
    """

    scene: Annotated[str, SCENE]


@dataclass(frozen=True)
class NewScene(Request[SceneMade]):
    """Make an empty scene; positions are samples at 48 kHz.

    >>> NewScene("Alley", 0, 96000, 7).on_wire(9)
    '/wildtrack/scene/new ,hshhh 9 "Alley" 0 96000 7'
    """

    address: ClassVar[str] = "/scene/new"
    reply: ClassVar[type[Result]] = SceneMade
    name: Annotated[str, NAME]
    start_sample: Annotated[int, MIDNIGHT] = 0
    duration_samples: Annotated[int, DURATION] = 192_000
    seed: Annotated[int, SEED] = 1


@dataclass(frozen=True)
class SourcesAdded(Result):
    """The ids of the new sources, in the order of the scene.

    >>> SourcesAdded("alley", ("s1", "s2")).arguments()
    [('s', 'alley'), ('s', 's1'), ('s', 's2')]
    """

    scene: Annotated[str, SCENE]
    sources: Annotated[tuple[str, ...], Many(SOURCE, "ids of the new sources")]


@dataclass(frozen=True)
class AddImage(Request[SourcesAdded]):
    """Add a picture: with a label one source of the whole picture, without one what is seen in it.

    Without a label the whole frame becomes the scene's global source and each detected region
    a source of its own.

    >>> AddImage("alley", "/session/dog.png", "dog").on_wire(10)
    '/wildtrack/source/add/image ,hsss 10 "alley" "/session/dog.png" "dog"'
    """

    address: ClassVar[str] = "/source/add/image"
    reply: ClassVar[type[Result]] = SourcesAdded
    scene: Annotated[str, SCENE]
    path: Annotated[str, FILE]
    label: Annotated[str, LABEL] = ""


@dataclass(frozen=True)
class AddRegion(Request[SourcesAdded]):
    """Add one box of a picture; x1 and y1 lie just outside it.

    >>> AddRegion("alley", "/session/frame.png", 8, 16, 64, 96, "dog").on_wire(11)
    '/wildtrack/source/add/region ,hssiiiis 11 "alley" "/session/frame.png" 8 16 64 96 "dog"'
    """

    address: ClassVar[str] = "/source/add/region"
    reply: ClassVar[type[Result]] = SourcesAdded
    scene: Annotated[str, SCENE]
    path: Annotated[str, FILE]
    x0: Annotated[int, Int(0, 60_000, "pixels", "left edge of the box", 8, tag="i")]
    y0: Annotated[int, Int(0, 60_000, "pixels", "upper edge of the box", 16, tag="i")]
    x1: Annotated[int, PIXEL]
    y1: Annotated[int, PIXEL]
    label: Annotated[str, LABEL] = ""

    def __post_init__(self) -> None:
        """Check the fields, and that the box is not empty."""
        super().__post_init__()
        if self.x1 <= self.x0 or self.y1 <= self.y0:
            raise OutOfRange(
                f"The box {self.x0},{self.y0},{self.x1},{self.y1} (pixels) is empty: x0 < x1 and "
                "y0 < y1 are required, in pixels from the upper left; swap or widen its edges."
            )


@dataclass(frozen=True)
class AddText(Request[SourcesAdded]):
    """Add a sound described in words.

    >>> AddText("alley", "rain on a tin roof").on_wire(12)
    '/wildtrack/source/add/text ,hss 12 "alley" "rain on a tin roof"'
    """

    address: ClassVar[str] = "/source/add/text"
    reply: ClassVar[type[Result]] = SourcesAdded
    scene: Annotated[str, SCENE]
    text: Annotated[str, WORDS]


@dataclass(frozen=True)
class AddAudio(Request[SourcesAdded]):
    """Add an audio clip whose like should sound.

    >>> AddAudio("alley", "/session/wind.wav").on_wire(13)
    '/wildtrack/source/add/audio ,hss 13 "alley" "/session/wind.wav"'
    """

    address: ClassVar[str] = "/source/add/audio"
    reply: ClassVar[type[Result]] = SourcesAdded
    scene: Annotated[str, SCENE]
    path: Annotated[str, CLIP]


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


@dataclass(frozen=True)
class TakeMade(Result):
    """The finished take and its take.json.

    >>> TakeMade("t0001", "/session/takes/t0001/take.json").arguments()[0]
    ('s', 't0001')
    """

    take: Annotated[str, TAKE]
    path: Annotated[str, FilePath("take.json", "/session/takes/t0001/take.json")]


@dataclass(frozen=True)
class Render(Request[TakeMade]):
    """Render every source and the mix into a new take; sends progress, can be cancelled.

    >>> Render("alley", "consistent", "preview").on_wire(16)
    '/wildtrack/render ,hsss 16 "alley" "consistent" "preview"'
    """

    address: ClassVar[str] = "/render"
    reply: ClassVar[type[Result]] = TakeMade
    scene: Annotated[str, SCENE]
    stems: Annotated[str, Choice(STEMS_MODES, "how stems and mix relate", "consistent")] = (
        "independent"
    )
    quality: Annotated[str, Choice(QUALITIES, "speed or quality", "final")] = "final"


@dataclass(frozen=True)
class CancelRequested(Result):
    """The job was told to stop; its own request ends in /wildtrack/cancelled.

    >>> CancelRequested(16).arguments()
    [('h', 16)]
    """

    job: Annotated[int, JOB]


@dataclass(frozen=True)
class CancelJob(Request[CancelRequested]):
    """Stop a job; ``job`` is the request id that started it.

    >>> CancelJob(16).on_wire(17)
    '/wildtrack/job/cancel ,hh 17 16'
    """

    address: ClassVar[str] = "/job/cancel"
    reply: ClassVar[type[Result]] = CancelRequested
    job: Annotated[int, JOB]


@dataclass(frozen=True)
class TakeRow(Message):
    """One take as a list shows it.

    >>> TakeRow("t0001", "alley", "2026-01-02T03:04:05Z", 96000, "/s/take.json").arguments()[3]
    ('h', 96000)
    """

    take: Annotated[str, TAKE]
    scene: Annotated[str, SCENE]
    created: Annotated[str, Text(1, 40, "time of making, ISO 8601 UTC", "2026-01-02T03:04:05Z")]
    duration_samples: Annotated[int, DURATION]
    path: Annotated[str, FilePath("take.json", "/session/takes/t0001/take.json")]


@dataclass(frozen=True)
class TakePage(Result):
    """One page of the takes of the session.

    >>> TakePage(0, -1, 0, ()).arguments()
    [('i', 0), ('i', -1), ('i', 0)]
    """

    page: Annotated[int, PAGE]
    next_page: Annotated[int, NEXT_PAGE]
    total: Annotated[int, TOTAL]
    rows: Annotated[tuple[TakeRow, ...], Rows(TakeRow, "the takes of this page")]


@dataclass(frozen=True)
class ListTakes(Request[TakePage]):
    """List the takes of the session, page by page.

    >>> ListTakes().on_wire(18)
    '/wildtrack/take/list ,hi 18 0'
    """

    address: ClassVar[str] = "/take/list"
    reply: ClassVar[type[Result]] = TakePage
    page: Annotated[int, PAGE] = 0


@dataclass(frozen=True)
class Goodbye(Result):
    """The engine ends after this answer.

    >>> Goodbye().arguments()
    []
    """


@dataclass(frozen=True)
class Quit(Request[Goodbye]):
    """End the engine; running jobs are cancelled.

    >>> Quit().on_wire(19)
    '/wildtrack/quit ,h 19'
    """

    address: ClassVar[str] = "/quit"
    reply: ClassVar[type[Result]] = Goodbye


REQUESTS: tuple[type[Request[Any]], ...] = (
    Hello,
    Ping,
    Status,
    NewScene,
    AddImage,
    AddRegion,
    AddText,
    AddAudio,
    SetSource,
    ListSources,
    Render,
    CancelJob,
    ListTakes,
    Quit,
)

BY_ADDRESS: dict[str, type[Request[Any]]] = {ROOT + r.address: r for r in REQUESTS}
