"""Read models: what people want to see of queues and jobs, gathered once for the command line, API and dashboard.

Each is an operation that yields statements and returns frozen dataclasses; how they look is decided by who shows them.
"""

from __future__ import annotations

from pgboss.insights.jobs import JobPage, page_of_jobs
from pgboss.insights.metrics import QueueMetrics, queue_metrics
from pgboss.insights.overview import Overview, QueueCounts, QueueHealth, queue_counts, totals_over_time
from pgboss.insights.queues import QueueOverview, queue_overviews

__all__ = [
    "JobPage",
    "Overview",
    "QueueCounts",
    "QueueHealth",
    "QueueMetrics",
    "QueueOverview",
    "page_of_jobs",
    "queue_counts",
    "queue_metrics",
    "queue_overviews",
    "totals_over_time",
]
