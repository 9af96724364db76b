"""A render job as strict JSON: every key known, every type and range checked.

A session folder may come from somebody else; what does not fit raises BadSession.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any, get_args

from engine.scene.codec import scene_from_json, scene_to_json
from engine.scene.model import Scene
from engine.settings import Quality, RenderSettings, StemsMode
from osc_bridge.errors import BadSession
from osc_bridge.fields import INT64_MAX

Argument = str | int | float | bool
"""An OSC argument of a request."""

TEXT_CHARACTERS_MAX = 4096
ARGUMENTS_MAX = 64

_ADDRESS = re.compile(r"/[a-z/]{1,60}")
_TOKEN = re.compile(r"[0-9a-f]{32}")
_KEYS = {
    "token": str,
    "request_id": int,
    "address": str,
    "client": str,
    "arguments": list,
    "settings": dict,
    "scene": dict,
    "attempts": int,
}


@dataclass(frozen=True)
class JobRecord:
    """A render that was asked for: the request, and the scene as it was accepted.

    ``attempts`` counts how often it was begun. The store gives ``id``, and ``token``, which no
    other record ever has: it stands in the take that the render makes.
    """

    request_id: int
    address: str
    client: str
    arguments: tuple[Argument, ...]
    settings: RenderSettings
    scene: Scene
    attempts: int = 0
    id: str = ""
    token: str = ""

    @property
    def asked(self) -> tuple[int, str, tuple[Argument, ...]]:
        """What a client repeats when it asks again."""
        return self.request_id, self.address, self.arguments


def record_to_json(record: JobRecord) -> str:
    """Return what the record's file holds."""
    document = {
        "token": record.token,
        "request_id": record.request_id,
        "address": record.address,
        "client": record.client,
        "arguments": list(record.arguments),
        "settings": asdict(record.settings),
        "scene": json.loads(scene_to_json(record.scene)),
        "attempts": record.attempts,
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def record_from_json(text: str, record_id: str) -> JobRecord:
    """Return the record of that id, or raise BadSession."""
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadSession(f"The job {record_id} is not valid JSON: {error}.") from error
    _require_keys(document, record_id)
    return JobRecord(
        request_id=_whole(document["request_id"], record_id, INT64_MAX),
        address=_address(document["address"], record_id),
        client=_argument(document["client"], record_id),
        arguments=_arguments(document["arguments"], record_id),
        settings=_settings(document["settings"], record_id),
        scene=scene_from_json(json.dumps(document["scene"])),
        attempts=_whole(document["attempts"], record_id, 1000),
        id=record_id,
        token=_token(document["token"], record_id),
    )


def _require_keys(document: Any, record_id: str) -> None:
    if not isinstance(document, dict) or set(document) != set(_KEYS):
        raise BadSession(f"The job {record_id} is no record of a render: it lacks or adds keys.")
    for name, kind in _KEYS.items():
        if type(document[name]) is not kind:
            raise BadSession(f"The job {record_id}: {name} is no {kind.__name__}.")


def _token(value: str, record_id: str) -> str:
    if not is_token(value):
        raise BadSession(f"The job {record_id} has no token of 32 hexadecimal digits.")
    return value


def is_token(value: object) -> bool:
    """Whether this is a token of a record."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _whole(value: int, record_id: str, highest: int) -> int:
    if not 0 <= value <= highest:
        raise BadSession(f"The job {record_id} has a number outside 0 to {highest}.")
    return value


def _address(value: str, record_id: str) -> str:
    if _ADDRESS.fullmatch(value) is None:
        raise BadSession(f"The job {record_id} has no OSC address but {value[:40]!r}.")
    return value


def _arguments(values: list[Any], record_id: str) -> tuple[Argument, ...]:
    if len(values) > ARGUMENTS_MAX:
        raise BadSession(f"The job {record_id} has {len(values)} arguments, not 0 to 64.")
    return tuple(_argument(value, record_id) for value in values)


def _argument(value: Any, record_id: str) -> Any:
    """Return the value of an OSC type: text without lone surrogates, int64, double, flag."""
    if type(value) is str and len(value) <= TEXT_CHARACTERS_MAX and _is_unicode(value):
        return value
    if type(value) is int and -INT64_MAX - 1 <= value <= INT64_MAX:
        return value
    if type(value) is bool or type(value) is float:
        return value
    raise BadSession(f"The job {record_id} has an argument that OSC does not know.")


def _settings(data: dict[str, Any], record_id: str) -> RenderSettings:
    modes, qualities = get_args(StemsMode), get_args(Quality)
    fits = set(data) == {"stems_mode", "quality"}
    if not fits or data["stems_mode"] not in modes or data["quality"] not in qualities:
        raise BadSession(
            f"The job {record_id} has other settings than stems_mode ({', '.join(modes)}) and "
            f"quality ({', '.join(qualities)})."
        )
    return RenderSettings(**data)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")
