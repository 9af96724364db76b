"""Hostile input: whatever arrives ends in a request or in an answerable error."""

from __future__ import annotations

import gc
import importlib.util
import itertools
import random
import tracemalloc
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osc_bridge.errors import MalformedMessage
from osc_bridge.osc import encode
from osc_bridge.transports.framing import Framing, SizedFraming, SlipFraming
from osc_bridge.wire import DATAGRAM_MAX, read_request

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    """The harness that atheris runs."""
    return module_of(TESTS / "fuzz" / "osc.py")


def module_of(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tests_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_seeds_of_the_harness_pass(fuzz: ModuleType) -> None:
    for seed in fuzz.seeds():
        fuzz.one_input(seed)


def test_the_datagrams_of_the_flood_are_all_refused(fuzz: ModuleType) -> None:
    flood = module_of(TESTS / "benchmarks" / "malformed.py")
    packets = list(itertools.islice(flood.malformed(seed=1), 1400))
    assert max(map(len, packets)) <= DATAGRAM_MAX
    assert packets == list(itertools.islice(flood.malformed(seed=1), 1400))
    for packet in packets:
        assert not flood.asks_something(packet)
        fuzz.packet(packet)


@settings(max_examples=200)
@given(data=st.binary(max_size=600))
def test_any_bytes_are_answered(fuzz: ModuleType, data: bytes) -> None:
    for door in range(3):
        fuzz.one_input(bytes([door]) + data)


@settings(max_examples=200)
@given(source=st.randoms(use_true_random=False))
def test_mutated_messages_are_answered(fuzz: ModuleType, source: random.Random) -> None:
    data = bytearray(source.choice(list(fuzz.seeds()))[:5000])
    for _ in range(source.randint(1, 4)):
        mutate(data, source)
    fuzz.one_input(bytes(data))


def mutate(data: bytearray, source: random.Random) -> None:
    at = source.randrange(len(data) + 1)
    match source.randrange(4):
        case 0:
            data[at : at + 1] = bytes([source.randrange(256)])
        case 1:
            del data[at : at + source.choice([1, 2, 4, 8, 100])]
        case 2:
            data[at:at] = data[at : at + source.choice([1, 4, 8, 16])]
        case 3:
            data[at : at + 4] = source.choice([0, 4, 8, 2**31 - 4, 2**32 - 4]).to_bytes(4, "big")


ADDRESSES = st.text(st.characters(exclude_categories=["Cs"]), max_size=80).map(lambda t: "/" + t)
ARGUMENTS = st.lists(
    st.tuples(st.just("h"), st.integers(-(2**63), 2**63 - 1))
    | st.tuples(st.just("i"), st.integers(-(2**31), 2**31 - 1))
    | st.tuples(st.just("d"), st.floats())
    | st.tuples(st.just("f"), st.floats(width=32))
    | st.tuples(
        st.just("s"), st.text(max_size=20).filter(lambda t: "\0" not in t and t.isprintable())
    )
    | st.tuples(st.sampled_from(["T", "F"]), st.none()),
    max_size=30,
)


@given(address=ADDRESSES.filter(lambda t: "\0" not in t), arguments=ARGUMENTS)
def test_any_message_is_answered(fuzz: ModuleType, address: str, arguments: list[Any]) -> None:
    for prefix in ("", "/wildtrack/source/set", "/wildtrack/done", "/wildtrack/scene/new"):
        fuzz.packet(encode(prefix or address, arguments))


PIECES = st.lists(
    st.sampled_from([b"\xc0", b"\xdb", b"\xdc", b"\xdd", b"\0", b"/a\0\0", b"\0\0\0\x04", b"abcd"]),
    max_size=40,
).map(b"".join)


@pytest.mark.parametrize("make", [SlipFraming, SizedFraming])
@given(data=PIECES | st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=8))
def test_a_stream_means_the_same_wherever_it_is_cut(
    make: type[Framing], data: bytes, cuts: list[int]
) -> None:
    framing, edges = make(), sorted({0, len(data), *(c for c in cuts if c < len(data))})
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
    frames = [frame for piece in pieces for frame in framing.feed(piece)]
    assert list(map(plain, frames)) == list(map(plain, make().feed(data)))


def plain(frame: bytes | MalformedMessage) -> bytes | str:
    return frame if isinstance(frame, bytes) else str(frame)


def test_strange_messages_leave_no_memory() -> None:
    source = random.Random(3)

    def strange(count: int) -> None:
        for number in range(count):
            tags = "".join(source.choices("ihfdsTFbz", k=source.randint(0, 60)))
            head = f"/wildtrack/{number}/{source.random()}".encode().ljust(60, b"\0")
            read_request(head + f",{tags}".encode().ljust(64, b"\0") + bytes(240))

    tracemalloc.start()
    try:
        strange(1500)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        strange(1500)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 100_000
    finally:
        tracemalloc.stop()
