"""What the arguments of the messages may be: ranges, units and meanings, each written once."""

from __future__ import annotations

from osc_bridge.fields import (
    INT32_MAX,
    INT64_MAX,
    AnyValue,
    Choice,
    FilePath,
    Flag,
    Int,
    Pattern,
    Real,
    ShortText,
    Spec,
    Text,
    ZeroOrInt,
)

API_MAJOR = 1
API_MINOR = 1
CAPABILITIES = ("undo", "split", "merge", "detect", "notices", "control", "trash", "models")
"""What an engine of this API can do beyond scenes, sources and takes; told by Welcome."""

SAMPLE_RATE = 48_000
"""Hz; the rate of every position in the protocol."""
SAMPLE_MAX = SAMPLE_RATE * 86_400 - 1
"""The last sample before midnight."""
DURATION_MIN = SAMPLE_RATE * 3 // 10
DURATION_MAX = SAMPLE_RATE * 10
SOURCES_MAX = 64
JOBS_MAX = 64
DATAGRAM_MAX = 1400
"""Bytes of a datagram that we send; what we receive may be larger."""

STEMS_MODES = ("independent", "consistent")
QUALITIES = ("preview", "final")
SOURCE_KINDS = ("image", "region", "text", "audio")
PRIORITIES = ("now", "preview", "final", "later")
JOB_STATES = ("waiting", "running")
JOB_CHANGES = ("waiting", "running", "done", "failed", "cancelled", "replaced")
TAKE_CHANGES = ("made", "renamed", "starred", "deleted", "restored")
MODEL_STATES = ("in_use", "loaded", "available")
MODEL_CHANGES = ("loading", "loaded", "in_use", "unloaded", "evicted", "failed")
ENGINE_KINDS = (
    "smaller_batch",
    "to_cpu",
    "journal_cut",
    "job_resumed",
    "job_dropped",
    "ending",
    "warning",
)

_IDENT = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
_IDENT_ALLOWED = "1 to 64 letters, digits, - or _ (the first a letter or digit)"

SCENE = Pattern(_IDENT, _IDENT_ALLOWED, "scene id from /scene/new", "alley")
SOURCE = Pattern(_IDENT, _IDENT_ALLOWED, "source id from /source/add or /source/list", "s1")
TAKE = Pattern(_IDENT, _IDENT_ALLOWED, "take id", "t0001")
SHA256 = Pattern(r"[0-9a-f]{64}", "64 hexadecimal digits", "SHA-256 of the file", "0123abcd" * 8)

NAME = Text(1, 80, "name for people", "Alley at night")
LABEL = Text(0, 80, "label for people; may be empty", "dog")
WORDS = Text(1, 400, "what should sound", "a dog barks behind a door")
CLIENT = Text(0, 80, "name of the client, for the log and for notices", "demo")
PACK = Text(1, 80, "name of a model pack", "starter")
DEVICE = Text(0, 40, "torch device", "cpu")
WHAT = ShortText(120, "what changed, for people", "Set gain_db of s1.")
SENTENCE = ShortText(200, "one sentence for people", "Rendering dog.")
CLIENT_SHOWN = ShortText(80, "name of the client that asked", "demo")

FILE = FilePath("a file inside the allowed folders", "/session/frame.png")
CLIP = FilePath("an audio file inside the allowed folders", "/session/wind.wav")
STORED = Text(0, 100, "path inside the session folder; empty = none", "media/5f1d9c.png")

START = Int(0, DURATION_MAX - 1, "samples at 48 kHz", "start, relative to the scene's", 24000)
MIDNIGHT = Int(0, SAMPLE_MAX, "samples since midnight at 48 kHz", "scene's start", 172800000)
DURATION = Int(
    DURATION_MIN,
    DURATION_MAX,
    "samples at 48 kHz (0.3 to 10 s)",
    "length; the pack may allow less",
    192000,
)
OWN_DURATION = ZeroOrInt(
    DURATION_MIN,
    DURATION_MAX,
    "samples at 48 kHz (0.3 to 10 s)",
    "length of the source alone",
    96000,
    zero="the scene's",
)
SEED = Int(0, INT64_MAX, "", "seed: the same seed gives the same sound", 7)
WEIGHT = Real(0.0, 4.0, "", "weight in the remix", 1.0)
GAIN_DB = Real(-60.0, 12.0, "dB", "gain of the stem", -6.0)
PAN = Real(-1.0, 1.0, "(-1 left, 1 right)", "place of the stem", 0.25)
MUTE = Flag("leave the stem out of what is heard", example=False)
SOLO = Flag("hear only the solo stems", example=False)
CHAIN = Text(0, 100, "effect chain preset; empty = none", "far")
CAT_ID = Pattern(r"[A-Za-z0-9]{0,16}", "0 to 16 letters or digits", "UCS CatID", "ANMLDog")
KIND = Choice(SOURCE_KINDS, "what the source was made of", "region")
LEFT = Int(0, 60_000, "pixels", "left edge of the box", 8, tag="i")
UPPER = Int(0, 60_000, "pixels", "upper edge of the box", 16, tag="i")
PIXEL = Int(0, 60_000, "pixels", "edge of the box; x1 and y1 lie outside it", 64, tag="i")
STEMS = Choice(STEMS_MODES, "how stems and mix relate", "consistent")
QUALITY = Choice(QUALITIES, "speed or quality", "final")

PAGE = Int(0, INT32_MAX, "", "page of the list, from 0", 0, tag="i")
NEXT_PAGE = Int(-1, INT32_MAX, "", "the next page, or -1 on the last", -1, tag="i")
TOTAL = Int(0, INT32_MAX, "", "rows on all pages together", 1, tag="i")
COUNT = Int(0, INT32_MAX, "", "how many", 0, tag="i")
REVISION = Int(0, INT64_MAX, "", "number of the scene's state; each change adds 1", 12)
SEQUENCE = Int(0, INT64_MAX, "", "number of the notice; each has the one before plus 1", 40)
MEMORY = Int(0, INT64_MAX, "bytes", "resident memory", 600_000_000)
BUDGET = Int(0, INT64_MAX, "bytes", "memory that packs may use; 0 = no limit", 0)
STEMS_BYTES = Int(0, INT64_MAX, "bytes", "stem files that are kept", 40_000_000)
PACK_BYTES = Int(0, INT64_MAX, "bytes", "memory of the pack; 0 = not loaded", 90_000_000)
UPTIME_S = Real(0.0, 1e9, "s", "since the engine began to answer", 12.5)
LIFETIME_S = Real(
    5.0, 3600.0, "s", "how long the subscription lives without a sign of the client", 60.0
)
FRACTION = Real(0.0, 1.0, "", "done so far", 0.5)
PROGRAM = Text(1, 40, "program and version", "wildtrack 0.1.0")
API_MAJOR_FIELD = Int(0, 1_000_000, "", "API major: must be equal", API_MAJOR, tag="i")
API_MINOR_FIELD = Int(0, 1_000_000, "", "API minor", API_MINOR, tag="i")
JOB = Int(1, INT64_MAX, "", "request id of the job", 12)
PRIORITY = Choice(PRIORITIES, "who goes first", "now")
ADDRESS = Text(0, 64, "address of the request", "/wildtrack/render")

SETTABLE: dict[str, Spec] = {
    "label": LABEL,
    "text": WORDS,
    "weight": WEIGHT,
    "gain_db": GAIN_DB,
    "pan": PAN,
    "mute": MUTE,
    "solo": SOLO,
    "seed": SEED,
    "start_sample": START,
    "duration_samples": OWN_DURATION,
    "chain": CHAIN,
    "cat_id": CAT_ID,
}
"""The fields of a source that ``/source/set`` accepts, each with its range and unit.

``text`` is for sources made of text only.
"""

SCENE_SETTABLE: dict[str, Spec] = {
    "name": NAME,
    "start_sample": MIDNIGHT,
    "duration_samples": DURATION,
    "seed": SEED,
}
"""The fields of a scene that ``/scene/set`` accepts, each with its range and unit."""

FIELD = Choice(tuple(SETTABLE), "field of the source", "gain_db")
SCENE_FIELD = Choice(tuple(SCENE_SETTABLE), "field of the scene", "duration_samples")
SETTING = AnyValue("its new value", -6.0, "as the field allows (table of settable fields)")
SCENE_SETTING = AnyValue("its new value", 96000, "as the field allows (table of settable fields)")
