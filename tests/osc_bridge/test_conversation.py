"""The bookkeeping of requests, without sockets."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osc_bridge.conversation import (
    ANSWERS_MAX,
    CLIENT_OPEN_MAX,
    CLIENTS_MAX,
    OPEN_MAX,
    PRESENT_S,
    Begun,
    ClientConversation,
    ServerConversation,
)
from osc_bridge.errors import BadArguments, QueueFull
from osc_bridge.events import CancelledReply, Done, Fail, Progress
from osc_bridge.schema import Pong

PING = "/wildtrack/ping"
RENDER = "/wildtrack/render"


def done(request_id: int, uptime_s: float = 1.0) -> Done:
    return Done(request_id, PING, Pong(uptime_s))


def begin(
    talk: ServerConversation[Any], client: Hashable, request_id: int, address: str, token: object
) -> Begun:
    return talk.begin(client, request_id, address, token, now_s=0.0)


def test_a_repeated_id_gets_the_first_answer() -> None:
    talk: ServerConversation[str] = ServerConversation()
    assert begin(talk, "c", 1, PING, "token").is_new
    assert begin(talk, "c", 1, PING, "other").answer is None
    assert talk.finish("c", 1, b"end of 1")
    assert not talk.finish("c", 1, b"end of 1")
    again = begin(talk, "c", 1, PING, "third")
    assert not again.is_new
    assert again.answer == b"end of 1"


def test_ids_of_two_clients_are_apart() -> None:
    talk: ServerConversation[str] = ServerConversation()
    assert begin(talk, "c", 1, PING, "").is_new
    assert begin(talk, "d", 1, PING, "").is_new


@pytest.mark.parametrize("ended", [False, True])
def test_an_id_cannot_serve_two_addresses(ended: bool) -> None:
    talk: ServerConversation[str] = ServerConversation()
    begin(talk, "c", 1, PING, "")
    if ended:
        talk.finish("c", 1, b"end of 1")
    with pytest.raises(BadArguments, match="choose a new one"):
        begin(talk, "c", 1, RENDER, "")


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5), st.booleans()), max_size=60))
def test_each_request_ends_once(steps: list[tuple[int, int, bool]]) -> None:
    talk: ServerConversation[None] = ServerConversation()
    begun: set[tuple[int, int]] = set()
    ended: set[tuple[int, int]] = set()
    for client, request_id, is_end in steps:
        key = (client, request_id)
        if is_end:
            assert talk.finish(client, request_id, b"end") == (key in begun - ended)
            ended |= {key} & begun
        else:
            assert begin(talk, client, request_id, PING, None).is_new == (key not in begun)
            begun.add(key)
    assert len(talk.open_tokens()) == len(begun - ended)


def test_memory_is_bounded() -> None:
    talk: ServerConversation[None] = ServerConversation()
    begin(talk, "busy", 1, PING, None)
    for client in range(2 * CLIENTS_MAX):
        for request_id in range(1, ANSWERS_MAX + 3):
            begin(talk, client, request_id, PING, None)
            talk.finish(client, request_id, b"end")
    assert len(talk._clients) <= CLIENTS_MAX
    assert max(len(book.answers) for book in talk._clients.values()) <= ANSWERS_MAX
    assert talk.is_open("busy", 1)


def test_too_many_open_requests_are_refused_until_one_ends() -> None:
    talk: ServerConversation[None] = ServerConversation()
    for request_id in range(OPEN_MAX):
        begin(talk, request_id % 16, request_id, PING, None)
    with pytest.raises(QueueFull, match=str(OPEN_MAX)):
        begin(talk, "c", 1, PING, None)
    talk.finish(0, 16, b"end")
    assert begin(talk, "c", 1, PING, None).is_new


def test_one_client_alone_cannot_open_all_requests() -> None:
    talk: ServerConversation[None] = ServerConversation()
    for request_id in range(CLIENT_OPEN_MAX):
        begin(talk, "greedy", request_id, PING, None)
    with pytest.raises(QueueFull, match=str(CLIENT_OPEN_MAX)):
        begin(talk, "greedy", CLIENT_OPEN_MAX, PING, None)
    assert not begin(talk, "greedy", 0, PING, None).is_new
    assert begin(talk, "other", 1, PING, None).is_new


def test_only_present_clients_are_counted() -> None:
    talk: ServerConversation[None] = ServerConversation()
    begin(talk, "silent", 1, PING, None)
    talk.finish("silent", 1, b"end")
    begin(talk, "waiting", 1, RENDER, None)
    assert talk.present(PRESENT_S) == {"silent", "waiting"}
    assert talk.present(PRESENT_S + 1) == {"waiting"}
    talk.forget("waiting")
    assert talk.present(0.0) == {"silent"}


def test_the_oldest_open_request_and_the_number_before_another() -> None:
    talk: ServerConversation[str] = ServerConversation()
    for request_id in (5, 3, 9):
        begin(talk, "c", request_id, PING, f"token {request_id}")
    assert talk.oldest("c") == "token 5"
    assert talk.count_before("c", 9) == 2
    talk.finish("c", 5, b"end")
    assert talk.oldest("c") == "token 3"
    assert talk.count_before("c", 9) == 1
    assert talk.oldest("nobody") is None
    assert talk.count_before("c", 5) == 0


def test_a_job_is_found_for_its_own_client_first_and_never_by_guess() -> None:
    talk: ServerConversation[str] = ServerConversation()
    begin(talk, "c", 1, RENDER, "of c")
    assert talk.find("d", 1) == "of c"
    begin(talk, "d", 1, RENDER, "of d")
    assert talk.find("d", 1) == "of d"
    assert talk.find("e", 1) is None


def test_a_client_that_is_gone_is_forgotten_when_its_requests_have_ended() -> None:
    talk: ServerConversation[str] = ServerConversation()
    begin(talk, "c", 1, RENDER, "of c")
    talk.forget("c")
    assert talk.find("d", 1) == "of c"
    assert talk.finish("c", 1, b"cancelled")
    assert talk.open_tokens() == []
    assert begin(talk, "c", 1, RENDER, "anew").is_new


def test_a_new_start_forgets_answers_but_not_open_requests() -> None:
    talk: ServerConversation[str] = ServerConversation()
    begin(talk, "c", 1, PING, "")
    talk.finish("c", 1, b"end of 1")
    begin(talk, "c", 2, PING, "")
    talk.restart("c")
    assert begin(talk, "c", 1, PING, "").is_new
    assert not begin(talk, "c", 2, PING, "").is_new


@pytest.mark.parametrize(
    "end", [done(5), Fail(5, PING, 599, "InternalError", ""), CancelledReply(5, PING)]
)
def test_an_end_unregisters_and_progress_does_not(end: Done | Fail | CancelledReply) -> None:
    talk: ClientConversation[str] = ClientConversation(5)
    assert talk.begin(PING, "mine") == 5
    assert talk.feed(Progress(5, PING, 0.5, 1, 2, "")) == "mine"
    assert talk.feed(end) == "mine"
    assert talk.feed(end) is None
    assert talk.pending_count == 0


def test_an_answer_to_another_address_is_nobodys() -> None:
    talk: ClientConversation[str] = ClientConversation(5)
    talk.begin(RENDER, "mine")
    assert talk.feed(done(5)) is None
    assert talk.pending_count == 1


def test_what_is_forgotten_is_unregistered() -> None:
    talk: ClientConversation[str] = ClientConversation(1)
    first, _ = talk.begin(PING, "a"), talk.begin(PING, "b")
    talk.forget(first)
    assert talk.forget_all() == ["b"]
    assert talk.pending_count == 0
