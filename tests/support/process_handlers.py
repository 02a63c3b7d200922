"""Handlers that run in processes of their own, and therefore have to be importable.

What they tell the test goes into files of the folder that their job names.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from pgboss import Discard, Job, JobDetails, Jobs, Snooze

jobs = Jobs()
logger = logging.getLogger("handlers.of.processes")
variable: ContextVar[str] = ContextVar("variable", default="as imported")


@dataclass
class Work:
    folder: str
    what: str = ""


@dataclass
class Told:
    pid: int
    parent: int
    what: str


@jobs.job("typed", executor="process", retry_limit=0)
def typed(work: Work, job: Job) -> Told:
    """Tells who worked it."""
    return Told(os.getpid(), os.getppid(), f"{work.what} of {job.name}")


@jobs.batch("batched", batch_size=10, executor="process", retry_limit=0)
def batched(works: list[Work], of: list[Job]) -> list[int | BaseException]:
    """Every second one fails."""
    return [ValueError(work.what) if index % 2 else os.getpid() for index, work in enumerate(works)]


def say(job: Job, name: str, text: str = "") -> None:
    """Leave a file; it appears whole."""
    folder = Path(job.data["folder"])
    (folder / f".{name}").write_text(text or str(os.getpid()))
    (folder / f".{name}").rename(folder / name)


def pid(job: Job) -> int:
    return os.getpid()


def nap(job: Job) -> int:
    """Sleep for a moment; returns the process."""
    time.sleep(job.data["seconds"])
    return os.getpid()


def count(job: Job) -> None:
    """Leave a line for each run of a job."""
    time.sleep(job.data["seconds"])
    with Path(job.data["file"]).open("a") as file:
        file.write(f"{job.data['number']}\n")


def looks(job: Job) -> str:
    """Waits to be told to stop, and ends by itself."""
    say(job, "began")
    if job.cancelled.wait(30):
        say(job, "stopped")
    return "late"


def tidies_up(job: Job) -> None:
    """Does not look, but leaves in order when it is interrupted."""
    try:
        say(job, "began")
        time.sleep(60)
    finally:
        say(job, "tidied")


def ignores(job: Job) -> NoReturn:
    """Ignores SIGTERM, and has a process of its own."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    own = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    say(job, "own", str(own.pid))
    say(job, "began")
    while True:
        time.sleep(1)


def computes(job: Job) -> None:
    """Holds the interpreter, so that nothing in it can hear anything."""
    say(job, "began")
    ctypes.PyDLL(None).sleep(60)


def exits(job: Job) -> None:
    os._exit(job.data)


def quits(job: Job) -> None:
    sys.exit("enough")


def crashes(job: Job) -> None:
    ctypes.string_at(0)


class UnpicklableError(Exception):
    """Cannot be made from its arguments, and holds what nobody can pickle."""

    def __init__(self, message: str, *, needed: object) -> None:
        super().__init__(message)
        self.needed = needed


def raises(job: Job) -> None:
    """Whatever the job asks for."""
    match job.data:
        case "chained":
            try:
                int("x")
            except ValueError as error:
                raise LookupError("not found") from error
        case "unpicklable":
            raise UnpicklableError("no way back", needed=lambda: None)
        case "unprintable":
            raise UnprintableError
        case "discard":
            raise Discard("never", output={"reason": 1})
        case "snooze":
            raise Snooze(timedelta(hours=1))
        case "group":
            raise ExceptionGroup("several", [ValueError("a"), KeyError("b")])


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def returns(job: Job) -> Any:
    """Something that is no JSON."""
    return {"file": sys.stdout} if job.data == "file" else lambda: None


def logs(job: Job) -> None:
    logger.debug("too quiet")
    logger.info("%s says %d", "it", 1, extra={"page": 7, "where": Path("a"), "nested": {"deep": [1, (2,)]}})
    try:
        int("x")
    except ValueError:
        logger.exception("it went wrong")
    print("printed", job.data)  # noqa: T201  it is what the test is about


def forks(job: Job) -> int | None:
    """Terminate a process that was forked, which logs before; returns its exit code."""
    forked = multiprocessing.get_context("fork").Process(target=logs_and_sleeps)
    forked.start()
    time.sleep(0.2)
    forked.terminate()
    forked.join(10)
    return forked.exitcode


def logs_and_sleeps() -> None:
    logger.warning("forked")
    time.sleep(60)


def details(job: JobDetails) -> str:
    return f"{job.state} until {job.keep_until.year > 2000}"


def changes_variable(job: Job) -> str:
    found = variable.get()
    variable.set("changed by a job")
    return found


def takes_lists(of: list[Job]) -> dict[Any, str]:
    """Answers by id, and forgets those without data."""
    return {job.id: f"{job.data} in {os.getpid()}" for job in of if job.data is not None}


def undecorated(job: Job) -> str:
    return "the original"


def plain(payload: Any) -> None: ...


def plain_lists(payloads: list[Any]) -> None: ...


def current_trace(job: Job) -> str:
    """Of which trace it is a part, and beneath which span."""
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}-{context.span_id:016x}"
