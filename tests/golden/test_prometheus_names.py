"""The names that alarms and dashboards of users are made of."""

from __future__ import annotations

from pgboss import PgBoss
from pgboss.prometheus import QueueCollector, WorkerCollector
from support.golden import check_golden

NOWHERE = "postgresql://localhost/nowhere"


def test_prometheus_names() -> None:
    collectors = QueueCollector(NOWHERE), WorkerCollector(PgBoss(NOWHERE))
    families = [family for collector in collectors for family in collector.describe()]

    check_golden("prometheus.txt", "\n".join(f"{found.name} {found.type}: {found.documentation}" for found in families))
