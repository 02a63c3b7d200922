"""What a worker learns from its claims about the front of its queue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest

from pgboss.worker.front import ENOUGH_WALKS, LATE_SECONDS, LEFT_OUT_SECONDS, PROBE_SECONDS, WHOLE_WALK_SECONDS, Front

CREATED = datetime(2026, 1, 1, tzinfo=UTC)


def jobs(number: int, *, priority: int = 0, later: float = 0) -> list[Any]:
    return [SimpleNamespace(priority=priority, created_on=CREATED + timedelta(seconds=later))] * number


def left_out(front: Front, now: float) -> float:
    """How old at least a job is by then that claims may have left out."""
    frontier = front.left_out(now)
    assert frontier is not None
    assert (frontier.priority, frontier.since) == (3, None)
    return frontier.seconds


@pytest.fixture
def slow() -> Front:
    """A front whose whole walk, at second 10, took 50 ms, where a partial one takes one."""
    front = Front()
    front.seen(None, 0.0, 0.05, jobs(1), 10)
    front.seen(front.begin(0.1), 0.1, 0.101, jobs(1), 10)
    front.seen(front.begin(10.0), 10.0, 10.05, jobs(1, priority=3), 10)
    return front


def test_the_first_claim_walks_everything_and_the_second_is_to_compare_with() -> None:
    front = Front()
    assert front.begin(5.0) is None
    assert front.seen(None, 5.0, 5.001, jobs(1), 10) is False
    assert front.begin(5.1) is not None


def test_where_whole_walks_are_fast_there_is_nothing_else() -> None:
    front = Front()
    for now in (0.0, 0.1, 1.0):
        front.seen(front.begin(now), now, now + 0.001, jobs(1), 10)
    assert front.begin(1.1) is None
    assert not front.leaves_out


def test_nothing_is_concluded_before_there_is_something_to_compare_with() -> None:
    front = Front()
    front.seen(None, 0.0, 0.03, jobs(1), 10)
    front.forget(0.05)
    front.seen(front.begin(0.1), 0.1, 0.13, jobs(1), 10)
    assert front.begin(0.2) is not None


def test_jobs_are_no_reason_to_call_a_walk_slow() -> None:
    front = Front()
    front.seen(None, 0.0, 0.001, [], 1000)
    front.seen(front.begin(0.1), 0.1, 0.101, [], 1000)
    front.seen(front.begin(1.0), 1.0, 1.02, jobs(500), 1000)
    assert front.begin(1.1) is None


def test_a_slow_front_is_left_out_and_seldom_walked(slow: Front) -> None:
    frontier = slow.begin(10.2)
    assert frontier is not None
    assert (frontier.priority, frontier.since) == (3, None)
    assert frontier.seconds == pytest.approx(0.2 + LATE_SECONDS)
    assert slow.begin(PROBE_SECONDS - 0.1) is not None
    assert slow.begin(PROBE_SECONDS) is None


def test_a_front_that_is_hardly_slower_is_found_out_by_several_walks_and_walked_often() -> None:
    front = Front()
    front.seen(None, 0.0, 0.003, [], 10)
    front.seen(front.begin(0.1), 0.1, 0.101, [], 10)
    for turn in range(1, 1 + ENOUGH_WALKS):
        assert front.begin(turn) is None
        front.seen(None, turn, turn + 0.003, [], 10)
    assert front.begin(ENOUGH_WALKS + 0.1) is not None
    assert front.begin(ENOUGH_WALKS + WHOLE_WALK_SECONDS) is None


def test_what_was_left_out_is_known_until_somebody_has_looked(slow: Front) -> None:
    slow.looked(10.1)
    assert slow.left_out(10.1) is None
    for began in (10.2, 10.4):
        slow.seen(slow.begin(began), began, began + 0.001, [], 10)
    assert left_out(slow, 10.5) == pytest.approx(0.4 + LATE_SECONDS)
    slow.looked(10.3)
    assert slow.left_out(10.5) is not None
    slow.looked(10.45)
    assert slow.left_out(10.5) is None
    frontier = slow.begin(10.6)
    assert frontier is not None
    assert frontier.seconds == pytest.approx(0.15 + LATE_SECONDS)


def test_it_is_looked_for_in_time(slow: Front) -> None:
    assert slow.look_at == inf
    slow.seen(slow.begin(10.4), 10.4, 10.401, [], 10)
    assert slow.look_at == 10.0 + LEFT_OUT_SECONDS
    slow.looked(10.6)
    assert slow.look_at == inf


def test_a_claim_that_was_sent_later_has_left_out_more(slow: Front) -> None:
    frontier = slow.begin(10.2)
    assert frontier is not None
    slow.seen(frontier, 13.0, 13.001, [], 10)
    assert left_out(slow, 13.5) == pytest.approx(0.5 + frontier.seconds)


def test_a_whole_walk_leaves_out_nothing(slow: Front) -> None:
    slow.seen(slow.begin(10.2), 10.2, 10.201, [], 10)
    slow.seen(None, 12.0, 12.05, [], 10)
    assert slow.left_out(12.1) is None


def test_what_turns_up_at_the_front_is_looked_for_at_once(slow: Front) -> None:
    slow.seen(slow.begin(10.2), 10.2, 10.201, [], 10)
    slow.forget(10.3)
    assert slow.begin(10.4) is None
    assert not slow.leaves_out


def test_what_turns_up_during_a_whole_walk_is_looked_for_by_another(slow: Front) -> None:
    slow.forget(20.1)
    slow.seen(None, 20.0, 20.2, [], 10)
    assert slow.begin(20.3) is None
    slow.seen(None, 20.3, 20.4, [], 10)
    assert slow.begin(20.5) is not None


def test_a_full_claim_says_where_the_next_one_begins_and_one_that_is_not_that_there_are_no_more(slow: Front) -> None:
    slow.seen(slow.begin(10.2), 10.2, 10.201, jobs(10, priority=3), 10)
    frontier = slow.begin(10.3)
    assert frontier is not None
    assert frontier.since == CREATED
    slow.seen(frontier, 10.3, 10.301, jobs(2, priority=3), 10)
    frontier = slow.begin(10.4)
    assert frontier is not None
    assert frontier.since is None


def test_a_backlog_begins_at_its_oldest_job_and_moves_on() -> None:
    front = Front()
    front.seen(None, 0.0, 0.01, jobs(10, priority=2), 10)
    first = front.begin(0.1)
    assert first is not None
    assert (first.priority, first.since) == (2, CREATED)
    front.seen(first, 0.1, 0.11, jobs(10, priority=2, later=5), 10)
    second = front.begin(0.2)
    assert second is not None
    assert second.since == CREATED + timedelta(seconds=5)


def test_more_urgent_jobs_do_not_move_the_frontier_of_the_others() -> None:
    front = Front()
    front.seen(None, 0.0, 0.01, jobs(10), 10)
    front.seen(front.begin(0.1), 0.1, 0.11, jobs(10, priority=9, later=60), 10)
    frontier = front.begin(0.2)
    assert frontier is not None
    assert (frontier.priority, frontier.since) == (0, CREATED)


def test_the_end_of_a_backlog_is_no_end_before_the_front_was_seen() -> None:
    front = Front()
    front.seen(None, 0.0, 0.01, jobs(10), 10)
    assert front.seen(front.begin(0.1), 0.1, 0.11, jobs(3), 10) is True
    assert front.begin(0.2) is None


def test_after_a_minute_it_compares_anew() -> None:
    front = Front()
    for now in (0.0, 0.1, 1.0):
        front.seen(front.begin(now), now, now + 0.001, [], 10)
    front.seen(front.begin(61.0), 61.0, 61.05, [], 10)
    assert front.begin(61.1) is not None


def test_one_walk_that_took_its_time_tells_nothing_and_several_do() -> None:
    front = Front()
    for now in (0.0, 0.1, 1.0, 2.0):
        front.seen(front.begin(now), now, now + 0.001, [], 10)
    front.seen(front.begin(3.0), 3.0, 3.0022, [], 10)
    assert front.begin(3.1) is None
    for turn in range(10):
        front.seen(None, 4.0 + turn, 4.0022 + turn, [], 10)
    assert front.begin(13.1) is not None


def test_what_is_faster_than_it_was_is_compared_with_what_is_faster() -> None:
    """The machine was asleep when the partial walk took 2 ms."""
    front = Front()
    front.seen(None, 0.0, 0.003, [], 10)
    front.seen(front.begin(0.1), 0.1, 0.102, [], 10)
    for turn in range(50):
        front.seen(None, 1.0 + turn, 1.0005 + turn, [], 10)
    for turn in range(8):
        front.seen(None, 51.0 + turn, 51.0018 + turn, [], 10)
    assert front.begin(58.1) is not None


def test_a_claim_that_is_sent_later_looks_further_back(slow: Front) -> None:
    frontier = slow.begin(10.2, later_seconds=0.5)
    assert frontier is not None
    assert frontier.seconds == pytest.approx(0.7 + LATE_SECONDS)
