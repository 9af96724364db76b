"""Handlers of the group ``take``."""

from __future__ import annotations

import functools

from engine.server.asked import Desk
from engine.takes import TakeRow
from osc_bridge import paging, schema
from osc_bridge.reply import Reply
from osc_bridge.schema import Result


class TakeHandlers:
    """List, rename, star, trash, compare."""

    def __init__(self, desk: Desk) -> None:
        self._takes = desk.service.takes

    def list(self, request: schema.ListTakes, _reply: Reply) -> Result:
        rows = self._takes.rows(request.scene, trash=request.trash)
        return paging.take_page(request.page, [_row(take) for take in rows])

    def rename(self, request: schema.RenameTake, _reply: Reply) -> Result:
        return _changed(self._takes.rename(request.take, request.name))

    def star(self, request: schema.StarTake, _reply: Reply) -> Result:
        return _changed(self._takes.star(request.take, starred=request.starred))

    def delete(self, request: schema.DeleteTake, _reply: Reply) -> Result:
        return _changed(self._takes.delete(request.take))

    def restore(self, request: schema.RestoreTake, _reply: Reply) -> Result:
        return _changed(self._takes.restore(request.take))

    def compare(self, request: schema.CompareTakes, _reply: Reply) -> Result:
        found = self._takes.compare(request.a, request.b)
        rows = [schema.Difference(row.what, row.in_a, row.in_b) for row in found]
        return paging.compare_page(request.a, request.b, request.page, rows)


@functools.lru_cache(maxsize=8192)
def _row(take: TakeRow) -> schema.TakeRow:
    return schema.TakeRow(
        take.take,
        take.scene,
        take.name,
        take.starred,
        take.created,
        take.duration_samples,
        str(take.path),
    )


def _changed(take: TakeRow) -> schema.TakeChanged:
    return schema.TakeChanged(take.take, take.name, take.starred, take.in_trash)
