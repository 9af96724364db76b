"""The ``iXML`` chunk: UCS fields (ASWG), time stamp, and where the sound comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

IXML_VERSION: Final = "3.01"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class UcsFields:
    """What a sound librarian searches for."""

    category: str
    subcategory: str
    cat_id: str
    fx_name: str
    creator_id: str
    source_id: str


@dataclass(frozen=True)
class Slate:
    """Project, scene, take and time of the file."""

    project: str
    scene: str
    take: str
    sample_rate: int
    bits: int
    start_sample: int


def ixml_text(
    slate: Slate, ucs: UcsFields, track_names: tuple[str, ...], provenance: Mapping[str, str]
) -> str:
    """The chunk as XML; ``provenance`` becomes elements of ``WILDTRACK``, in order."""
    root = ET.Element("BWFXML")
    _add(root, "IXML_VERSION", IXML_VERSION)
    _add(root, "PROJECT", slate.project)
    _add(root, "SCENE", slate.scene)
    _add(root, "TAKE", slate.take)
    _add_speed(root, slate)
    _add_tracks(root, track_names)
    _add_aswg(root, ucs)
    own = ET.SubElement(root, "WILDTRACK")
    for name, value in provenance.items():
        _add(own, name, value)
    return '<?xml version="1.0" encoding="UTF-8"?>' + ET.tostring(root, encoding="unicode")


def _add_speed(root: ET.Element, slate: Slate) -> None:
    speed = ET.SubElement(root, "SPEED")
    _add(speed, "FILE_SAMPLE_RATE", str(slate.sample_rate))
    _add(speed, "AUDIO_BIT_DEPTH", str(slate.bits))
    _add(speed, "DIGITIZER_SAMPLE_RATE", str(slate.sample_rate))
    _add(speed, "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI", str(slate.start_sample >> 32))
    _add(speed, "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO", str(slate.start_sample & 0xFFFFFFFF))
    _add(speed, "TIMESTAMP_SAMPLE_RATE", str(slate.sample_rate))


def _add_tracks(root: ET.Element, names: tuple[str, ...]) -> None:
    tracks = ET.SubElement(root, "TRACK_LIST")
    _add(tracks, "TRACK_COUNT", str(len(names)))
    for index, name in enumerate(names, start=1):
        track = ET.SubElement(tracks, "TRACK")
        _add(track, "CHANNEL_INDEX", str(index))
        _add(track, "INTERLEAVE_INDEX", str(index))
        _add(track, "NAME", name)


def _add_aswg(root: ET.Element, ucs: UcsFields) -> None:
    aswg = ET.SubElement(root, "ASWG")
    _add(aswg, "contentType", "sfx")
    _add(aswg, "category", ucs.category)
    _add(aswg, "subCategory", ucs.subcategory)
    _add(aswg, "catId", ucs.cat_id)
    _add(aswg, "fxName", ucs.fx_name)
    _add(aswg, "creatorId", ucs.creator_id)
    _add(aswg, "sourceId", ucs.source_id)
    _add(aswg, "isGenerated", "true")


def _add(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = _NOT_XML.sub("", text)
