"""Model packs: list, load, unload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from osc_bridge.fields import Choice, Pattern, ShortText
from osc_bridge.message import Message, Rows
from osc_bridge.messages.base import Request, Result
from osc_bridge.ranges import (
    DEVICE,
    MODEL_STATES,
    NEXT_PAGE,
    PACK,
    PACK_BYTES,
    PAGE,
    TOTAL,
)

DIGEST = Pattern(
    r"[0-9a-f]{0,64}",
    "0 to 64 hexadecimal digits",
    "SHA-256 of the pack; empty = not known until it is loaded",
    "0123abcd" * 8,
)


@dataclass(frozen=True)
class ModelRow(Message):
    """One pack as a list shows it; ``device`` is empty unless it is loaded.

    >>> ModelRow.example().arguments()[0]
    ('s', 'starter')
    """

    pack: Annotated[str, PACK]
    version: Annotated[str, ShortText(40, "version of the pack", "1.0")]
    kind: Annotated[str, ShortText(40, "kind of pack", "starter")]
    licence: Annotated[str, ShortText(80, "licence of its weights", "AGPL-3.0-or-later")]
    state: Annotated[
        str, Choice(MODEL_STATES, "in_use renders, loaded is warm, available is on disk", "in_use")
    ]
    device: Annotated[str, DEVICE]
    memory_bytes: Annotated[int, PACK_BYTES]
    digest: Annotated[str, DIGEST]


@dataclass(frozen=True)
class ModelPage(Result):
    """One page of the packs.

    >>> ModelPage(0, -1, 0, ()).arguments()
    [('i', 0), ('i', -1), ('i', 0)]
    """

    page: Annotated[int, PAGE]
    next_page: Annotated[int, NEXT_PAGE]
    total: Annotated[int, TOTAL]
    rows: Annotated[tuple[ModelRow, ...], Rows(ModelRow, "the packs of this page")]


@dataclass(frozen=True)
class ListModels(Request[ModelPage]):
    """List the packs that are loaded or can be, page by page.

    >>> ListModels().on_wire(18)
    '/wildtrack/model/list ,hi 18 0'
    """

    address: ClassVar[str] = "/model/list"
    reply: ClassVar[type[Result]] = ModelPage
    page: Annotated[int, PAGE] = 0


@dataclass(frozen=True)
class ModelLoaded(Result):
    """The pack that renders from now on.

    >>> ModelLoaded.example().arguments()[0]
    ('s', 'starter')
    """

    pack: Annotated[str, PACK]
    digest: Annotated[str, DIGEST]
    device: Annotated[str, DEVICE]
    memory_bytes: Annotated[int, PACK_BYTES]


@dataclass(frozen=True)
class LoadModel(Request[ModelLoaded]):
    """Load a pack if need be, verified, and render with it from now on; sends progress.

    >>> LoadModel("starter").on_wire(18)
    '/wildtrack/model/load ,hs 18 "starter"'
    """

    address: ClassVar[str] = "/model/load"
    reply: ClassVar[type[Result]] = ModelLoaded
    pack: Annotated[str, PACK]


@dataclass(frozen=True)
class ModelUnloaded(Result):
    """The pack's memory is free.

    >>> ModelUnloaded("starter").arguments()
    [('s', 'starter')]
    """

    pack: Annotated[str, PACK]


@dataclass(frozen=True)
class UnloadModel(Request[ModelUnloaded]):
    """Free the memory of a pack; the one that renders is refused with PackInUse.

    >>> UnloadModel("starter").on_wire(18)
    '/wildtrack/model/unload ,hs 18 "starter"'
    """

    address: ClassVar[str] = "/model/unload"
    reply: ClassVar[type[Result]] = ModelUnloaded
    pack: Annotated[str, PACK]
