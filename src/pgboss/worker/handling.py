"""How the jobs of a definition are handled: one by one, in batches, within a transaction, or in a process."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from pgboss.core.job import Job
from pgboss.core.queue import QueueCatalog
from pgboss.drivers.transactions import Transactions
from pgboss.jobs import JobDefinition
from pgboss.worker.attempt import Settle, attempt
from pgboss.worker.batch import attempt_batch
from pgboss.worker.process import attempt_in_process
from pgboss.worker.transaction import Transactor

__all__ = ["Handling"]


class Handling:
    """Calls the handler of a definition, in the way that the definition asks for.

    Attributes:
        definition: whose handler.
        run: called with jobs (one, unless the handler takes batches); settles each of them and raises nothing.
    """

    def __init__(
        self,
        definition: JobDefinition[Any, Any],
        transactions: Transactions,
        catalog: Callable[[], QueueCatalog],
        *,
        in_process: bool = False,
    ) -> None:
        self.definition = definition
        self.run: Callable[[Sequence[Job], Any, Settle], Coroutine[Any, Any, None]]
        if in_process:
            self.run = attempt_in_process
        elif definition.is_transactional:
            self.run = Transactor(definition, transactions, catalog).attempt
        else:
            self.run = partial(attempt_batch if definition.is_batch else attempt, definition)
