"""Split and merge: what changes how many sources share one picture, text or sound.

They give out ids, so they keep the order of additions; what must read files first is a job.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.jobs.job import Reporter
from engine.media import MediaStore, Size
from engine.scene.cutting import (
    merge,
    merge_sounds,
    mergeable,
    split_picture,
    split_sound,
    split_words,
)
from engine.scene.edits import Plan
from engine.scene.model import Scene
from engine.service.asking import Added, Asking
from engine.service.jobs import Jobs
from engine.service.scenes import Scenes


class Shaping:
    """Splits and merges the sources of a session. Methods may be called from any thread."""

    def __init__(self, scenes: Scenes, jobs: Jobs, media: MediaStore) -> None:
        self._scenes = scenes
        self._jobs = jobs
        self._media = media

    def picture_size(self, media: str) -> Size:
        """Return width and height of a picture of the session; BadImage, FileMissing."""
        return self._media.picture_size(media)

    def split(self, scene_id: str, source_id: str, at: int, asking: Asking[Added]) -> None:
        """Cut a source in two; what is added are both parts."""
        scene = self._scenes.get(scene_id)
        scene.require_room(1)
        source = scene.source(source_id)

        def words(_reporter: Reporter) -> Callable[[], Added]:
            return lambda: self._split(scene_id, source_id, _split_words(source_id, at), asking)

        def picture(_reporter: Reporter) -> Callable[[], Added]:
            size = self._media.picture_size(source.media)

            def plan(now: Scene) -> Any:
                return split_picture(now, source_id, at, size)

            return lambda: self._split(scene_id, source_id, plan, asking)

        def sound(_reporter: Reporter) -> Callable[[], Added]:
            def commit() -> Added:
                with self._media.keeping_cut(source.media, at) as parts:

                    def plan(now: Scene) -> Any:
                        return split_sound(now, source_id, source.media, parts)

                    return self._split(scene_id, source_id, plan, asking)

            return commit

        prepare = {"text": words, "audio": sound}.get(source.kind, picture)
        self._jobs.submit_addition(scene_id, self._jobs.files, prepare, asking)

    def merge(self, scene_id: str, source_ids: Sequence[str], asking: Asking[Added]) -> None:
        """Make one source of several, with the id and settings of the first."""
        clips = mergeable(self._scenes.get(scene_id), source_ids)

        def commit() -> Added:
            if not clips:
                return self._merged(scene_id, source_ids[0], _merge(source_ids), asking)
            with self._media.keeping_overlay(clips) as media:

                def plan(now: Scene) -> Any:
                    return merge_sounds(now, source_ids, clips, media)

                return self._merged(scene_id, source_ids[0], plan, asking)

        self._jobs.submit_addition(scene_id, self._jobs.files, lambda _reporter: commit, asking)

    def _split(self, scene_id: str, source_id: str, plan: Plan, asking: Asking[Added]) -> Added:
        scene = self._scenes.change(scene_id, plan, asking.title.client)
        place = scene.sources.index(scene.source(source_id))
        return Added(scene, scene.sources[place : place + 2])

    def _merged(self, scene_id: str, first: str, plan: Plan, asking: Asking[Added]) -> Added:
        scene = self._scenes.change(scene_id, plan, asking.title.client)
        return Added(scene, (scene.source(first),))


def _split_words(source_id: str, at: int) -> Plan:
    return lambda scene: split_words(scene, source_id, at)


def _merge(source_ids: Sequence[str]) -> Plan:
    return lambda scene: merge(scene, source_ids)
