"""Typed jobs: definitions, their registry, and the codecs between payloads and JSON.

A definition knows its queue's name and options, the type of its payload and, where the job is worked, its handler.
Nothing here talks to a database or to an event loop: clients encode with a definition, workers decode and call.
"""

from __future__ import annotations

from pgboss.jobs.definition import HandledBatch, HandledJob, JobDefinition
from pgboss.jobs.events import Event
from pgboss.jobs.outcomes import Discard, Snooze, Verdict
from pgboss.jobs.registry import Jobs, collect

__all__ = ["Discard", "Event", "HandledBatch", "HandledJob", "JobDefinition", "Jobs", "Snooze", "Verdict", "collect"]
