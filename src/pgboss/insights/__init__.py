"""Read models: what people want to see of queues and jobs, gathered once for the command line, API and dashboard.

Each is an operation that yields statements and returns frozen dataclasses; how they look is decided by who shows them.
"""

from __future__ import annotations

from pgboss.insights.browse import FoundIds, FoundJobs, browse, browse_on, find_ids
from pgboss.insights.failures import (
    FailedJob,
    FailureGroup,
    Failures,
    failed_jobs,
    failures,
    letters_of,
)
from pgboss.insights.flow_graph import FlowEdge, FlowGraph, flow_graph
from pgboss.insights.jobs import JobNews, job_news, jobs_by_id
from pgboss.insights.lineage import FlowNode, KnownAttempt, Lineage, Relative, glances_of, lineage
from pgboss.insights.metrics import QueueMetrics, queue_metrics
from pgboss.insights.overview import (
    Overview,
    QueueCounts,
    QueueHealth,
    QueueNews,
    queue_counts,
    queue_news,
    totals_over_time,
)
from pgboss.insights.queues import QueueOverview, queue_overviews
from pgboss.insights.schedules import PastRun, schedule_history

__all__ = [
    "FailedJob",
    "FailureGroup",
    "Failures",
    "FlowEdge",
    "FlowGraph",
    "FlowNode",
    "FoundIds",
    "FoundJobs",
    "JobNews",
    "KnownAttempt",
    "Lineage",
    "Overview",
    "PastRun",
    "QueueCounts",
    "QueueHealth",
    "QueueMetrics",
    "QueueNews",
    "QueueOverview",
    "Relative",
    "browse",
    "browse_on",
    "failed_jobs",
    "failures",
    "find_ids",
    "flow_graph",
    "glances_of",
    "job_news",
    "jobs_by_id",
    "letters_of",
    "lineage",
    "queue_counts",
    "queue_metrics",
    "queue_news",
    "queue_overviews",
    "schedule_history",
    "totals_over_time",
]
