"""Every message of the protocol: one frozen dataclass each, with its address and its reply.

A request travels as ``ROOT + address``, its int64 request id first, then its fields in order;
trailing fields with a default may be left out. It ends in exactly one `Done`, `Fail` or
`CancelledReply` (`osc_bridge.events`). Making an instance checks it, on either side.
"""

from __future__ import annotations

from typing import Any

from osc_bridge.message import ROOT
from osc_bridge.messages.base import Request, Result
from osc_bridge.messages.engine import (
    EngineStatus,
    Goodbye,
    Hello,
    Ping,
    Pong,
    Quit,
    Status,
    Welcome,
)
from osc_bridge.messages.scene import (
    AddAudio,
    AddImage,
    AddRegion,
    AddText,
    NewScene,
    SceneMade,
    SourcesAdded,
)
from osc_bridge.messages.source import ListSources, SetSource, SourceChanged, SourcePage, SourceRow
from osc_bridge.messages.take import (
    CancelJob,
    CancelRequested,
    ListTakes,
    Render,
    TakeMade,
    TakePage,
    TakeRow,
)
from osc_bridge.ranges import (
    API_MAJOR,
    API_MINOR,
    DURATION_MAX,
    DURATION_MIN,
    QUALITIES,
    SAMPLE_MAX,
    SAMPLE_RATE,
    SETTABLE,
    SOURCE_KINDS,
    SOURCES_MAX,
    STEMS_MODES,
)

__all__ = [
    "API_MAJOR",
    "API_MINOR",
    "BY_ADDRESS",
    "DURATION_MAX",
    "DURATION_MIN",
    "QUALITIES",
    "REQUESTS",
    "SAMPLE_MAX",
    "SAMPLE_RATE",
    "SETTABLE",
    "SOURCES_MAX",
    "SOURCE_KINDS",
    "STEMS_MODES",
    "AddAudio",
    "AddImage",
    "AddRegion",
    "AddText",
    "CancelJob",
    "CancelRequested",
    "EngineStatus",
    "Goodbye",
    "Hello",
    "ListSources",
    "ListTakes",
    "NewScene",
    "Ping",
    "Pong",
    "Quit",
    "Render",
    "Request",
    "Result",
    "SceneMade",
    "SetSource",
    "SourceChanged",
    "SourcePage",
    "SourceRow",
    "SourcesAdded",
    "Status",
    "TakeMade",
    "TakePage",
    "TakeRow",
    "Welcome",
]

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
