"""Warning of dead rows that nobody removes: what comes before every collapse of a queue in PostgreSQL.

Settled and deleted jobs leave dead rows behind, and VACUUM removes those that no transaction can see any more. Where it
removes none, somebody holds the horizon back, such as a report that has been running since yesterday; where it does not
run, somebody has switched it off. Both look like workers that are too slow, and have nothing to do with them.

One look shows only that there are dead rows. It takes two to show that a vacuum ran in between and removed none, or
that none ran; so the first look never warns. How many are too many is what the server itself goes by.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pgboss.core.events import WarningEvent
from pgboss.core.names import SchemaName
from pgboss.core.vacuum import HOLDERS, DeadRows, Holder, Horizon, VacuumHistory
from pgboss.drivers.runner import Run
from pgboss.operations import vacuum
from pgboss.runtime.events import Events

__all__ = ["VacuumWatch"]

NEVER = datetime.min.replace(tzinfo=UTC)


class VacuumWatch:
    """Warns once of dead rows that stay, until all job tables are within their budgets again."""

    def __init__(self, run: Run, schema: SchemaName, events: Events, *, instance: str | None = None) -> None:
        """Prepare the duty; ``instance`` is the id by which a warning tells of this instance."""
        self._run = run
        self._schema = schema
        self._events = events
        self._instance = instance
        self._history = VacuumHistory()
        self._has_warned_of_horizon = False
        self._has_warned_of_autovacuum = False
        self._is_blind = False

    async def run_once(self) -> float | None:
        """Look at the job tables, and warn of what has shown since the look before.

        Raises:
            DatabaseError: they could not be looked at.
        """
        judgement = self._history.judge(await self._run(vacuum.look(self._schema)))
        # Each by itself: a table that is never vacuumed must not hide what becomes of the others.
        self._has_warned_of_horizon &= not judgement.is_within_budget
        self._has_warned_of_autovacuum &= not judgement.is_within_budget_without
        if judgement.unvacuumed and not self._has_warned_of_autovacuum:
            self._has_warned_of_autovacuum = True
            self._events.warn(_autovacuum_disabled(judgement.unvacuumed))
        if judgement.stuck and not self._has_warned_of_horizon:
            await self._look_for_holder(judgement.stuck)
        return None

    async def _look_for_holder(self, stuck: Sequence[DeadRows]) -> None:
        if self._is_blind:
            return
        last_vacuum = max((table.vacuumed_on for table in stuck if table.vacuumed_on is not None), default=NEVER)
        horizon = await self._run(vacuum.find_horizon(last_vacuum))
        if len(horizon.unreadable) == len(HOLDERS):
            self._is_blind = True
            self._events.warn(_blind(self._instance, horizon.error))
        elif horizon.holder is not None:
            # Without a holder the dead rows have another reason, of which this warning would lead away.
            self._has_warned_of_horizon = True
            self._events.warn(_xmin_horizon(stuck, horizon, horizon.holder))


def _worst(tables: Sequence[DeadRows]) -> DeadRows:
    return max(tables, key=lambda table: table.dead)


def _counts(tables: Sequence[DeadRows]) -> dict[str, Any]:
    worst = _worst(tables)
    return {
        "table": worst.name,
        "tables": [table.name for table in tables],
        "liveTuples": worst.live,
        "deadTuples": worst.dead,
        "budget": worst.whole_budget,
        "vacuumAgeSeconds": worst.vacuum_age_seconds,
    }


def _autovacuum_disabled(tables: Sequence[DeadRows]) -> WarningEvent:
    worst = _worst(tables)
    age = worst.vacuum_age_seconds
    last = "It was never vacuumed." if age is None else f"It was last vacuumed {age} s ago."
    message = (
        f"Nothing removes the dead rows of {worst.name}: autovacuum is off for it (autovacuum_enabled = false), and "
        f"its {worst.dead} dead rows grow. {last} PostgreSQL would begin at {worst.whole_budget}."
    )
    return WarningEvent("autovacuum_disabled", message, _counts(tables))


def _xmin_horizon(tables: Sequence[DeadRows], horizon: Horizon, holder: Holder) -> WarningEvent:
    worst = _worst(tables)
    message = (
        f"Dead rows cannot be removed: {holder} holds the transaction horizon back by {holder.age} transactions. "
        f"A vacuum of {worst.name} {worst.vacuum_age_seconds} s ago has left {worst.dead} of them; "
        f"PostgreSQL begins at {worst.whole_budget}."
    )
    if horizon.opaque and holder.pid is None:
        message += f" Our role may not look at {horizon.opaque} backends: GRANT pg_read_all_stats names them."
    data = {
        "source": holder.source,
        "holder": str(holder),
        "holderClass": holder.kind,
        "holderPid": holder.pid,
        "holderApplicationName": holder.application_name,
        "holderUserName": holder.user_name,
        "holderState": holder.state,
        "holderTransactionSeconds": holder.seconds,
        "self": holder.is_ours,
        "opaqueBackends": horizon.opaque,
        "transactions": holder.age,
        "oldestTransactionSeconds": horizon.oldest_seconds,
        "unreadableSources": list(horizon.unreadable),
    }
    return WarningEvent("xmin_horizon", message, data | _counts(tables))


def _blind(instance: str | None, error: str | None) -> WarningEvent:
    message = (
        "Our role may not see who holds the transaction horizon back, so this instance cannot warn of it any more."
    )
    return WarningEvent("xmin_horizon", message, {"type": "xmin_horizon", "instance": instance, "error": error})
