"""Handlers of the group ``model``."""

from __future__ import annotations

from engine.models.news import PackRow
from engine.notices import shown_pack
from engine.server.asked import Desk
from osc_bridge import paging, schema
from osc_bridge.reply import Reply
from osc_bridge.schema import Result


class ModelHandlers:
    """List, load, unload."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._service = desk.service

    def list(self, request: schema.ListModels, _reply: Reply) -> Result:
        return paging.model_page(request.page, [_row(pack) for pack in self._service.models.rows()])

    def load(self, request: schema.LoadModel, reply: Reply) -> None:
        with self._desk.job(reply, _loaded) as asking:
            self._service.load_model(request.pack, asking)

    def unload(self, request: schema.UnloadModel, reply: Reply) -> None:
        def unloaded(name: str) -> Result:
            return schema.ModelUnloaded(shown_pack(name))

        with self._desk.job(reply, unloaded) as asking:
            self._service.unload_model(request.pack, asking)


def _loaded(pack: PackRow) -> schema.ModelLoaded:
    return schema.ModelLoaded(shown_pack(pack.pack), pack.digest, pack.device, pack.memory_bytes)


def _row(pack: PackRow) -> schema.ModelRow:
    return schema.ModelRow(
        shown_pack(pack.pack),
        pack.version,
        pack.kind,
        pack.licence,
        pack.state,
        pack.device,
        pack.memory_bytes,
        pack.digest,
    )
