"""The flag that a job carries for its handler."""

from __future__ import annotations

import pickle
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from threading import Thread
from uuid import UUID

from pgboss.core.job import Job


def job() -> Job:
    return Job(UUID(int=1), "jobs", None, 0, 0, 0, 60, None, None, None, None, datetime(2027, 1, 1, tzinfo=UTC), None)


def test_a_job_is_not_cancelled_until_somebody_says_so() -> None:
    one = job()
    assert (one.cancelled.is_set(), one.cancelled.wait(0.001)) == (False, False)

    one.cancelled.set()

    assert (one.cancelled.is_set(), one.cancelled.wait()) == (True, True)


def test_whoever_waits_is_woken() -> None:
    one = job()
    woken: list[bool] = []
    waiting = Thread(target=lambda: woken.append(one.cancelled.wait(10)))
    waiting.start()

    one.cancelled.set()

    waiting.join(5)
    assert woken == [True]


def test_it_is_no_part_of_the_value() -> None:
    one = job()
    one.cancelled.set()
    copies = [pickle.loads(pickle.dumps(one)), deepcopy(one), replace(one)]

    assert copies == [one] * 3
    assert [copy.cancelled.is_set() for copy in copies] == [False] * 3
    assert "cancel" not in repr(one)
