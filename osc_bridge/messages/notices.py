"""What subscribers are told of scenes, jobs, takes, models and the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from osc_bridge.fields import INT64_MAX, Choice, Int, ShortText
from osc_bridge.messages.base import Notice
from osc_bridge.messages.job import ANY_SCENE, ANY_SOURCE
from osc_bridge.ranges import (
    ADDRESS,
    CLIENT_SHOWN,
    DEVICE,
    ENGINE_KINDS,
    FRACTION,
    JOB_CHANGES,
    MODEL_CHANGES,
    PACK,
    REVISION,
    SCENE,
    SENTENCE,
    TAKE,
    TAKE_CHANGES,
    WHAT,
)


@dataclass(frozen=True)
class SceneNotice(Notice):
    """A scene changed.

    >>> SceneNotice("alley", 12, "Set gain_db of s1.", "demo").on_wire(41)
    '/wildtrack/event/scene ,hshss 41 "alley" 12 "Set gain_db of s1." "demo"'
    """

    address: ClassVar[str] = "/event/scene"
    scene: Annotated[str, SCENE]
    revision: Annotated[int, REVISION]
    what: Annotated[str, WHAT]
    client: Annotated[str, CLIENT_SHOWN] = ""


@dataclass(frozen=True)
class JobNotice(Notice):
    """A job waits, runs, or has ended and how; ``sentence`` says where it is, or what went wrong.

    >>> JobNotice(12, "/wildtrack/render", "alley", "", "done", 1.0, "").on_wire(41)
    '/wildtrack/event/job ,hhssssds 41 12 "/wildtrack/render" "alley" "" "done" 1.0 ""'
    """

    address: ClassVar[str] = "/event/job"
    job: Annotated[int, Int(0, INT64_MAX, "", "request id of the job", 12)]
    request_address: Annotated[str, ADDRESS]
    scene: Annotated[str, ANY_SCENE]
    source: Annotated[str, ANY_SOURCE]
    state: Annotated[str, Choice(JOB_CHANGES, "what became of it", "running")]
    fraction: Annotated[float, FRACTION]
    sentence: Annotated[str, SENTENCE]


@dataclass(frozen=True)
class TakeNotice(Notice):
    """A take was made or changed.

    >>> TakeNotice("t0001", "alley", "made").on_wire(41)
    '/wildtrack/event/take ,hsss 41 "t0001" "alley" "made"'
    """

    address: ClassVar[str] = "/event/take"
    take: Annotated[str, TAKE]
    scene: Annotated[str, SCENE]
    change: Annotated[str, Choice(TAKE_CHANGES, "what was done", "made")]


@dataclass(frozen=True)
class ModelNotice(Notice):
    """A pack was loaded or freed, or could not be loaded.

    >>> ModelNotice("starter", "loaded", "cpu", "").on_wire(41)
    '/wildtrack/event/model ,hssss 41 "starter" "loaded" "cpu" ""'
    """

    address: ClassVar[str] = "/event/model"
    pack: Annotated[str, PACK]
    state: Annotated[str, Choice(MODEL_CHANGES, "what became of it", "loaded")]
    device: Annotated[str, DEVICE]
    sentence: Annotated[str, SENTENCE]


@dataclass(frozen=True)
class EngineNotice(Notice):
    """What the engine did on its own: relief of memory, recovery after a crash, its end.

    >>> EngineNotice("to_cpu", "The device is full: this render goes on on the CPU.").on_wire(41)
    '/wildtrack/event/engine ,hss 41 "to_cpu" "The device is full: this render goes on on the CPU."'
    """

    address: ClassVar[str] = "/event/engine"
    kind: Annotated[str, Choice(ENGINE_KINDS, "what it is about", "to_cpu")]
    sentence: Annotated[
        str,
        ShortText(250, "one sentence for people", "The device is full: going on on the CPU."),
    ]
