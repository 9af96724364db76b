"""The thread that waits for sockets: one wake for many, rest, trouble, and its end."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterator

import pytest

from osc_bridge.transports.loop import READ, SocketLoop

WAIT_S = 20.0


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        yield ours, theirs


def test_wakes_that_come_together_are_answered_once() -> None:
    calls: queue.SimpleQueue[int] = queue.SimpleQueue()
    loop = SocketLoop("test", lambda: calls.put(1))
    for _ in range(100):
        loop.wake()
    loop.start()
    assert calls.get(timeout=WAIT_S)
    loop.close()
    assert calls.empty()


def test_no_wake_is_lost() -> None:
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[int] = queue.SimpleQueue()

    def move() -> None:
        while not todo.empty():
            done.put(todo.get())

    loop = SocketLoop("test", move)
    loop.start()

    def ask(numbers: range) -> None:
        for number in numbers:
            todo.put(number)
            loop.wake()

    threads = [threading.Thread(target=ask, args=(range(i, 4000, 4),)) for i in range(4)]
    for thread in threads:
        thread.start()
    assert sorted(done.get(timeout=WAIT_S) for _ in range(4000)) == list(range(4000))
    for thread in threads:
        thread.join()
    loop.close()


def test_a_wake_from_its_own_work_comes_again() -> None:
    calls: queue.SimpleQueue[int] = queue.SimpleQueue()

    def again() -> None:
        calls.put(1)
        if calls.qsize() < 5:
            loop.wake()

    loop = SocketLoop("test", again)
    loop.start()
    loop.wake()
    for _ in range(5):
        calls.get(timeout=WAIT_S)
    loop.close()


def test_a_socket_rests_until_it_is_wanted(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    seen: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    wanted = threading.Event()

    def on_wake() -> None:
        loop.change(ours, READ if wanted.is_set() else 0)
        seen.put(b"changed")

    loop = SocketLoop("test", on_wake)
    loop.watch(ours, READ, lambda _events: seen.put(ours.recv(100)))
    loop.start()
    loop.wake()
    assert seen.get(timeout=WAIT_S) == b"changed"
    theirs.send(b"a")
    loop.wake()
    assert seen.get(timeout=WAIT_S) == b"changed"
    wanted.set()
    loop.wake()
    assert [seen.get(timeout=WAIT_S) for _ in range(2)] == [b"changed", b"a"]
    loop.close()


def test_a_callback_that_fails_is_logged_and_the_loop_goes_on(
    pair: tuple[socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = pair
    seen: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def take(_events: int) -> None:
        data = ours.recv(1)
        if data == b"x":
            raise KeyError(data)
        seen.put(data)

    loop = SocketLoop("test")
    loop.watch(ours, READ, take)
    loop.start()
    theirs.send(b"xy")
    assert seen.get(timeout=WAIT_S) == b"y"
    loop.close()
    assert "the loop goes on" in caplog.text


def test_a_loop_ends_from_its_own_thread(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    ended = threading.Event()

    def end(_events: int) -> None:
        loop.close()
        ended.set()

    loop = SocketLoop("test")
    loop.watch(ours, READ, end)
    loop.start()
    theirs.send(b"a")
    assert ended.wait(WAIT_S)
    loop.close()
