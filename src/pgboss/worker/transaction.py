"""Transactional handlers: one call of a handler and the completion of its jobs, in one transaction.

The claim is committed before. Then a connection is taken, the handler writes on it, and the jobs are completed on it:
fenced like every result, so that a job that is no longer ours rolls everything back. Whatever goes wrong before
COMMIT rolls back first and is settled like any other failure, by the settler, on another connection.

A COMMIT that nobody answers may have happened. Such a job is left alone: if it was completed all is well, and if not,
its lease or its time runs out and it runs again. To fail it would risk running finished work twice.

Each holds a connection of the pool, so there can be only as many of them as the pool has connections, and they should
be fewer. When its time is over a thread cannot be stopped: it goes on with its connection, and finds the fence closed.
docs/compatibility.md, "Transactional handlers".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from typing import Any
from uuid import UUID

from pgboss.core.job import Job
from pgboss.core.query import Steps
from pgboss.core.queue import QueueCatalog
from pgboss.core.wire import output_text
from pgboss.drivers.runner import arun, run
from pgboss.drivers.transactions import CommitUnknown, OpenTransaction, Transactions
from pgboss.errors import HandlerResultError, PgBossError
from pgboss.jobs import JobDefinition
from pgboss.operations import work as operations
from pgboss.sql import transactions as sql
from pgboss.worker.attempt import CallHandler, Settle, outcome_of, within
from pgboss.worker.batch import readable, results_of
from pgboss.worker.outcome import GivenBack, Over
from pgboss.worker.records import job_fields

__all__ = ["Transactor"]

# What the completion may take beyond the handler's own time; pg-boss allows the same.
GRACE_SECONDS = 5
AGAIN_SECONDS = 1.0

logger = logging.getLogger("pgboss.worker")


class NotBegun(Exception):  # noqa: N818  nothing has gone wrong with the job
    """No transaction could be opened; the handler was not called."""


class NoLongerOurs(Exception):  # noqa: N818  nothing has gone wrong with the work
    """Somebody else has settled or claimed jobs that were to be completed."""

    def __init__(self, ids: set[UUID]) -> None:
        super().__init__(f"{len(ids)} jobs")
        self.ids = ids


class Transactor:
    """Runs the calls of one transactional handler."""

    def __init__(
        self, definition: JobDefinition[Any, Any], transactions: Transactions, catalog: Callable[[], QueueCatalog]
    ) -> None:
        self._definition = definition
        self._transactions = transactions
        self._catalog = catalog

    async def attempt(self, batch: Sequence[Job], call: CallHandler, settle: Settle) -> None:
        """Work one job, or a batch; ``settle`` is told what became of each."""
        payloads, jobs = readable(self._definition, batch, settle)
        if not jobs:
            return
        try:
            kept = await self._run(payloads, jobs, call)
        except NotBegun as reason:
            logger.warning("%d jobs of queue %s went back: %s", len(jobs), self._definition.name, reason)
            outcomes: dict[UUID, Any] = dict.fromkeys([job.id for job in jobs], GivenBack(AGAIN_SECONDS))
        except NoLongerOurs as lost:
            outcomes = {job.id: self._lost(job) if job.id in lost.ids else GivenBack() for job in jobs}
        except CommitUnknown as reason:
            outcomes = {job.id: self._unknown(job, reason) for job in jobs}
        except BaseException as error:  # noqa: BLE001  whatever a handler raises fails its jobs, not the worker
            outcomes = dict.fromkeys([job.id for job in jobs], outcome_of(error))
        else:
            outcomes = {job.id: Over(kept.get(job.id, True)) for job in jobs}
        for job in jobs:
            settle(job, outcomes[job.id])

    async def _run(self, payloads: list[Any], jobs: list[Job], call: CallHandler) -> dict[UUID, bool]:
        seconds = max(job.expire_in_seconds for job in jobs)
        if self._definition.is_async:
            return await self._in_loop(payloads, jobs, seconds)
        return await within(jobs, call(lambda: self._in_thread(payloads, jobs, seconds)))

    async def _in_loop(self, payloads: list[Any], jobs: list[Job], seconds: int) -> dict[UUID, bool]:
        async with AsyncExitStack() as stack:
            try:
                opened = await stack.enter_async_context(self._transactions.transaction())
                await opened.session.execute(sql.limit(seconds + GRACE_SECONDS))
            except PgBossError as error:
                raise NotBegun(str(error)) from error
            answer = await within(jobs, self._call(payloads, jobs, opened))
            outputs = self._outputs(jobs, answer, opened)
            return await arun(opened.session, self._complete(jobs, outputs))

    def _in_thread(self, payloads: list[Any], jobs: list[Job], seconds: int) -> dict[UUID, bool]:
        with ExitStack() as stack:
            try:
                opened = stack.enter_context(self._transactions.transaction_in_thread())
                opened.session.execute(sql.limit(seconds + GRACE_SECONDS))
            except PgBossError as error:
                raise NotBegun(str(error)) from error
            outputs = self._outputs(jobs, self._call(payloads, jobs, opened), opened)
            return run(opened.session, self._complete(jobs, outputs))

    def _call(self, payloads: list[Any], jobs: list[Job], opened: OpenTransaction[Any]) -> Any:
        if self._definition.is_batch:
            return self._definition.call(list(payloads), list(jobs), opened.connection)
        return self._definition.call(payloads[0], jobs[0], opened.connection)

    def _outputs(self, jobs: list[Job], answer: Any, opened: OpenTransaction[Any]) -> list[str | None]:
        if not opened.is_open():
            raise HandlerResultError(
                f"{self._definition.name}: the transaction in which its jobs are completed has failed, or the handler "
                "has ended it. Leave COMMIT and ROLLBACK to the worker, and try statements that may fail within "
                "`connection.transaction()`."
            )
        results = results_of(self._definition, jobs, answer) if self._definition.is_batch else [answer]
        for result in results:
            if isinstance(result, BaseException) and self._definition.is_batch:
                raise HandlerResultError(
                    f"{self._definition.name}: a transactional handler completes all jobs of a batch or none; it must "
                    f"raise {type(result).__name__}, not return it as the result of one job."
                ) from result
        return [output_text(self._definition.encode_result(result)) for result in results]

    def _complete(self, jobs: list[Job], outputs: list[str | None]) -> Steps[dict[UUID, bool]]:
        """Complete the jobs, or find that the handler has settled them itself, on the same connection.

        Raises:
            NoLongerOurs: neither is true of all of them.
        """
        name, catalog = self._definition.name, self._catalog()
        kept = yield from operations.complete_each(catalog, name, jobs, outputs)
        missing = {job.id for job in jobs} - kept.keys()
        if missing:
            settled = yield from operations.settled_here(catalog, name, list(missing))
            if missing - settled:
                raise NoLongerOurs(missing - settled)
        return kept

    def _lost(self, job: Job) -> Over:
        logger.warning(
            "job %s of queue %s was no longer ours when it finished; what it wrote was rolled back",
            job.id,
            job.name,
            extra=job_fields(job),
        )
        return Over()

    def _unknown(self, job: Job, reason: CommitUnknown) -> Over:
        logger.error(
            "the connection was lost while job %s of queue %s was committed; if that failed, the job runs again when "
            "its lease or its time ends: %s",
            job.id,
            job.name,
            reason,
            extra=job_fields(job),
        )
        return Over()
