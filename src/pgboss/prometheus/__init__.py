"""Metrics for Prometheus: of the queues, which any process can tell, and of the workers of this one.

docs/operations.md, "Metrics", has the names. Needs ``pip install 'pgboss[prometheus]'``.
"""

from pgboss.prometheus.queues import QueueCollector
from pgboss.prometheus.serving import serve_metrics
from pgboss.prometheus.workers import WorkerCollector

__all__ = ["QueueCollector", "WorkerCollector", "serve_metrics"]
