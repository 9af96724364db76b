"""Handlers of the group ``source`` that are jobs: what adds, splits, merges and detects."""

from __future__ import annotations

from engine.server.asked import Desk, added
from osc_bridge import schema
from osc_bridge.reply import Reply


class SourceHandlers:
    """Each keeps its reply, which ends when the sources are in the scene."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._adding = desk.service.adding
        self._shaping = desk.service.shaping

    def add_text(self, request: schema.AddText, reply: Reply) -> None:
        with self._desk.job(reply, added) as asking:
            self._adding.text_in_turn(request.scene, request.text, asking)

    def add_image(self, request: schema.AddImage, reply: Reply) -> None:
        with self._desk.job(reply, added) as asking:
            self._adding.image(request.scene, request.path, request.label, asking)

    def add_region(self, request: schema.AddRegion, reply: Reply) -> None:
        box = (request.x0, request.y0, request.x1, request.y1)
        with self._desk.job(reply, added) as asking:
            self._adding.region(request.scene, request.path, box, request.label, asking)

    def add_audio(self, request: schema.AddAudio, reply: Reply) -> None:
        with self._desk.job(reply, added) as asking:
            self._adding.audio(request.scene, request.path, asking)

    def detect(self, request: schema.DetectAgain, reply: Reply) -> None:
        with self._desk.job(reply, added) as asking:
            self._adding.detect_again(request.scene, asking)

    def split(self, request: schema.SplitSource, reply: Reply) -> None:
        with self._desk.job(reply, added, request.source) as asking:
            self._shaping.split(request.scene, request.source, request.at, asking)

    def merge(self, request: schema.MergeSources, reply: Reply) -> None:
        with self._desk.job(reply, added, request.sources[0]) as asking:
            self._shaping.merge(request.scene, request.sources, asking)
