"""Additions to a scene are committed in the order of asking."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from engine.order import AddingOrder, Turn


def said(words: list[str], word: str) -> Callable[[], None]:
    return lambda: words.append(word)


def turn_of(adding: AddingOrder, scene: str, key: object, told: list[str] | None = None) -> Turn:
    return adding.turn(scene, key, said(told if told is not None else [], f"{key} waits"))


def ready(turn: Turn, words: list[str], word: str) -> None:
    turn.ready(said(words, word), said(words, f"not {word}"))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_commits_keep_the_order_of_the_turns(order: tuple[int, ...]) -> None:
    adding, words = AddingOrder(), []
    turns = [turn_of(adding, "scene1", number) for number in range(3)]
    for number in order:
        assert adding.has_line("scene1")
        ready(turns[number], words, str(number))
    assert words == ["0", "1", "2"]
    assert not adding.has_line("scene1")


def test_scenes_do_not_wait_for_each_other() -> None:
    adding, words = AddingOrder(), []
    turn_of(adding, "scene1", "slow")
    ready(turn_of(adding, "scene2", "fast"), words, "fast")
    assert words == ["fast"]
    assert adding.has_line("scene1")
    assert not adding.has_line("scene2")


def test_who_gives_up_lets_others_pass() -> None:
    adding, words = AddingOrder(), []
    first, second = turn_of(adding, "scene1", 1), turn_of(adding, "scene1", 2)
    ready(second, words, "second")
    assert words == []
    first.give_up()
    assert words == ["second"]


def test_a_commit_that_waits_can_be_cancelled_once() -> None:
    adding, words = AddingOrder(), []
    first, second = turn_of(adding, "scene1", 1), turn_of(adding, "scene1", 2)
    assert not adding.cancel(2), "it is still at work elsewhere"
    ready(second, words, "second")
    assert adding.cancel(2)
    assert not adding.cancel(2)
    assert words == ["not second"]
    ready(first, words, "first")
    assert words == ["not second", "first"]
    assert not adding.cancel(1)
    assert not adding.has_line("scene1")


def test_a_commit_may_take_the_next_turn() -> None:
    adding, words = AddingOrder(), []

    def again() -> None:
        ready(turn_of(adding, "scene1", 2), words, "second")
        words.append("first")

    turn_of(adding, "scene1", 1).ready(again, said(words, "never"))
    assert words == ["first", "second"]
    assert not adding.has_line("scene1")


def test_threads_commit_every_turn_once_and_in_order() -> None:
    adding, words = AddingOrder(), []
    turns = [turn_of(adding, "scene1", number) for number in range(200)]

    def work(share: int) -> None:
        for number in reversed(range(share, 200, 4)):
            ready(turns[number], words, str(number))

    threads = [threading.Thread(target=work, args=(share,)) for share in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert words == [str(number) for number in range(200)]
    assert not adding.has_line("scene1")


def test_the_first_in_line_lets_those_who_wait_tell_so() -> None:
    adding, words = AddingOrder(), []
    first, second, third = (turn_of(adding, "scene1", key, words) for key in (1, 2, 3))
    third.ready(said([], ""), said([], ""))
    first.goes_on()
    second.goes_on()
    assert words == ["3 waits"], "the second works itself, and is not the first"
    first.give_up()
    second.goes_on()
    assert words == ["3 waits"] * 2
    second.give_up()
    third.goes_on()
    assert words == ["3 waits"] * 2


class InterruptedLock:
    """A lock after whose first release something else happens at once."""

    def __init__(self, then: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._then = [then]

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_error: object) -> None:
        self._lock.release()
        if self._then:
            self._then.pop()()


def test_whoever_is_not_first_commits_nothing_for_others() -> None:
    """Words are handed in on the thread that answers everybody: it must not copy files there."""
    adding, threads = AddingOrder(), []

    def note() -> None:
        threads.append(threading.current_thread())

    file, words = turn_of(adding, "scene1", "file"), turn_of(adding, "scene1", "words")
    worker = threading.Thread(target=file.ready, args=(note, note))

    def at_that_moment() -> None:
        worker.start()
        worker.join()

    adding._lock = InterruptedLock(at_that_moment)  # type: ignore[assignment]
    words.ready(note, note)
    assert threads == [worker, worker]
