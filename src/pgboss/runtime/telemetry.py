"""Spans and metrics with the names and attributes that pg-boss gives them: docs/compatibility.md, "Telemetry".

Imported only when OpenTelemetry is installed and wanted: :func:`make_telemetry` decides. Without an SDK its tracer and
meter do next to nothing.

A claim by a worker has no span of its own, because most of them find nothing. The span of a handler continues the
trace of its job's sender when it handles one job, and has links to the senders when it handles several. It is current
while the handler runs; tasks and threads inherit it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from time import perf_counter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pgboss.core.call import Call
from pgboss.core.creation import NewlyCreated
from pgboss.core.flow import FlowIds
from pgboss.core.job import Job, Settled
from pgboss.core.names import SchemaName
from pgboss.core.queue import Queue
from pgboss.core.telemetry_options import OpenTelemetryOptions

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import CallbackOptions, Meter, Observation
    from opentelemetry.propagators.textmap import TextMapPropagator
    from opentelemetry.trace import Link, Span

__all__ = ["CallSpan", "HandlerSpan", "Telemetry", "in_current_trace", "make_telemetry", "trace_continued"]

SCOPE = "pg-boss"
LOOK_SECONDS = 1.0
BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
SYSTEM = "messaging.system"
OPERATION_NAME = "messaging.operation.name"
OPERATION_TYPE = "messaging.operation.type"
DESTINATION = "messaging.destination.name"
MESSAGE_ID = "messaging.message.id"
MESSAGE_COUNT = "messaging.batch.message_count"
ERROR_TYPE = "error.type"
NAMESPACE = "db.namespace"
SCHEMA = "pgboss.schema"
RETRY_COUNT = "pgboss.job.retry_count"
JOB_STATE = "pgboss.job.state"
NOT_IN_METRICS = {MESSAGE_ID, MESSAGE_COUNT, RETRY_COUNT}
CACHED_STATES = ("deferred", "ready", "blocked", "active", "failed")


def make_telemetry(options: OpenTelemetryOptions | None, schema: SchemaName) -> Telemetry | None:
    """Telemetry as asked for; ``None`` when it is not wanted, or OpenTelemetry not installed."""
    if options is None or find_spec("opentelemetry") is None or find_spec("opentelemetry.trace") is None:
        return None
    return Telemetry(options, schema)


class Telemetry:
    """The spans and metrics of one instance."""

    def __init__(self, options: OpenTelemetryOptions, schema: SchemaName) -> None:
        from opentelemetry import metrics, trace

        library = version("pgboss")
        self._trace = trace
        self._metrics = metrics
        given = options.tracer_provider, options.meter_provider
        self._looks_at = 0.0
        self._is_live = options.propagate_context or any(provider is not None for provider in given)
        self._schema = schema.configured
        self._tracer = trace.get_tracer(SCOPE, library, options.tracer_provider)
        self._propagator = options.propagator
        self._propagates = options.propagate_context
        self._base: dict[str, Any] = {SYSTEM: "pg-boss", SCHEMA: self._schema}
        self._queues: Sequence[Queue] = ()
        self.is_observed = True
        """Whether somebody has looked at the counts since they were read."""
        self._instruments(metrics.get_meter(SCOPE, library, options.meter_provider))

    def _instruments(self, meter: Meter) -> None:
        def seconds(name: str, description: str) -> Any:
            try:
                return meter.create_histogram(
                    name, "s", description, explicit_bucket_boundaries_advisory=BUCKETS_SECONDS
                )
            except TypeError:  # opentelemetry-api before 1.31 has no advice
                return meter.create_histogram(name, "s", description)

        self._operation_seconds = seconds(
            "messaging.client.operation.duration", "Duration of calls that send, receive or settle jobs."
        )
        self._process_seconds = seconds("messaging.process.duration", "Duration of calls of handlers.")
        self._sent = meter.create_counter(
            "messaging.client.sent.messages", "{message}", "Jobs that were to be created."
        )
        self._consumed = meter.create_counter(
            "messaging.client.consumed.messages", "{message}", "Jobs that were claimed."
        )
        meter.create_observable_gauge(
            "pgboss.queue.jobs", [self._observe_queues], "{job}", "Jobs by state, as last counted by the upkeep."
        )

    @property
    def is_live(self) -> bool:
        """Whether anybody is told: providers of this instance, an SDK of the application's, or jobs that keep traces.

        An SDK may be set up later than the instance, so it is looked for until it is there, once a second: to ask the
        environment takes longer than much of a call.
        """
        if not self._is_live and (now := perf_counter()) >= self._looks_at:
            self._looks_at = now + LOOK_SECONDS
            providers = self._trace.get_tracer_provider(), self._metrics.get_meter_provider()
            self._is_live = any("Proxy" not in type(provider).__name__ for provider in providers)
        return self._is_live

    def connected_to(self, database: str) -> None:
        """Name the database in all that follows."""
        self._base = {**self._base, NAMESPACE: f"{database}|{self._schema}"}

    def counted(self, queues: Sequence[Queue]) -> None:
        """Report these counts from now on."""
        self._queues = queues
        self.is_observed = False

    @contextmanager
    def call(self, call: Call) -> Iterator[CallSpan]:
        """Around a call of the client; the span is current in it."""
        attributes = self._attributes(call.operation, call.kind, call.destination)
        span = self._tracer.start_span(
            _name(call.operation, call.destination), kind=self._kind(call), attributes=attributes
        )
        began = perf_counter()
        with self._trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            told = CallSpan(self, span, call, attributes, self._carrier() if call.kind == "send" else None)
            failure: BaseException | None = None
            try:
                yield told
            except BaseException as error:
                failure = error
                raise
            finally:
                told.finish(failure, perf_counter() - began)

    def consumed(self, queue: str, count: int) -> None:
        """A worker has claimed so many jobs."""
        self._consumed.add(count, self._attributes("process", "process", queue))

    @contextmanager
    def handling(self, queue: str, jobs: Sequence[Job]) -> Iterator[HandlerSpan]:
        """Around a call of a handler."""
        from opentelemetry.context import Context

        attributes = self._attributes("process", "process", queue)
        # Never the context in which the worker was started: a job has nothing to do with that trace.
        parent, links = Context(), list[Any]()
        if len(jobs) == 1:
            attributes |= {MESSAGE_ID: str(jobs[0].id), RETRY_COUNT: jobs[0].retry_count}
            parent = self._extracted(jobs[0].trace_context) or parent
        else:
            attributes[MESSAGE_COUNT] = len(jobs)
            links = self.links(jobs)
        span = self._tracer.start_span(
            _name("process", queue), parent, self._trace.SpanKind.CONSUMER, attributes, links
        )
        told, began = HandlerSpan(), perf_counter()
        with _attached(self._trace.set_span_in_context(span, parent)):
            try:
                yield told
            except BaseException as error:
                told.failed(error)
                raise
            finally:
                if told.failure is not None:
                    self.record_error(span, told.failure)
                self._process_seconds.record(perf_counter() - began, _for_metrics(attributes, told.failure))
                span.end()

    def finish_call(self, told: CallSpan, failure: BaseException | None, seconds: float) -> None:
        """Write down how a call ended; its span ends by itself."""
        attributes = _for_metrics(told.attributes, failure)
        if failure is not None:
            self.record_error(told.span, failure)
        self._operation_seconds.record(seconds, attributes)
        if told.call.kind == "send" and (count := told.sent(failure)):
            self._sent.add(count, attributes)
        if told.call.kind == "receive" and told.ids:
            self._consumed.add(len(told.ids), attributes)

    def links(self, jobs: Iterable[Job]) -> list[Link]:
        """Links to the senders of jobs that say who they are."""
        contexts = (self._extracted(job.trace_context) for job in jobs)
        spans = (self._trace.get_current_span(context).get_span_context() for context in contexts if context)
        return [self._trace.Link(span) for span in spans if span.is_valid]

    def record_error(self, span: Span, error: BaseException) -> None:
        span.set_attribute(ERROR_TYPE, type(error).__name__)
        if isinstance(error, Exception):
            span.record_exception(error)
        span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, str(error)))

    def _attributes(self, operation: str, kind: str, destination: str | None) -> dict[str, Any]:
        attributes = {**self._base, OPERATION_NAME: operation, OPERATION_TYPE: kind}
        if destination:
            attributes[DESTINATION] = destination
        return attributes

    def _kind(self, call: Call) -> Any:
        kinds = self._trace.SpanKind
        return kinds.PRODUCER if call.kind == "send" else kinds.CLIENT

    def _carrier(self) -> Mapping[str, str] | None:
        if not self._propagates:
            return None
        carrier: dict[str, str] = {}
        self._chosen_propagator().inject(carrier)
        return carrier or None

    def _extracted(self, carrier: Mapping[str, str] | None) -> Context | None:
        if not carrier:
            return None
        from opentelemetry.context import Context

        return self._chosen_propagator().extract(carrier, Context())

    def _chosen_propagator(self) -> TextMapPropagator:
        if self._propagator is not None:
            return self._propagator
        from opentelemetry.propagate import get_global_textmap

        return get_global_textmap()

    def _observe_queues(self, options: CallbackOptions) -> Iterator[Observation]:
        from opentelemetry.metrics import Observation

        self.is_observed = True
        for queue in self._queues:
            for state in CACHED_STATES:
                attributes = {**self._base, DESTINATION: queue.name, JOB_STATE: state}
                yield Observation(getattr(queue, f"{state}_count"), attributes)


class CallSpan:
    """The span of a call that is under way."""

    def __init__(
        self,
        telemetry: Telemetry,
        span: Span,
        call: Call,
        attributes: dict[str, Any],
        carrier: Mapping[str, str] | None,
    ) -> None:
        self._telemetry = telemetry
        self.span = span
        self.call = call
        self.attributes = attributes
        self.carrier = carrier
        self.ids: Sequence[UUID] = ()
        self._created = 0

    def returned(self, value: Any) -> None:
        """The call has returned this."""
        self.ids, self._created = _ids_of(value)
        count = self.sent(None) if self.call.kind == "send" else len(self.ids)
        if count == 1 and len(self.ids) == 1:
            self.span.set_attribute(MESSAGE_ID, str(self.ids[0]))
        elif count > 1 or self.call.kind != "send":
            self.span.set_attribute(MESSAGE_COUNT, count)
        if self.call.kind == "receive" and isinstance(value, list):
            for link in self._telemetry.links(value):
                self.span.add_link(link.context)

    def destined(self, created: Sequence[NewlyCreated]) -> None:
        """A flow has created these: all in one queue, its destination is that one."""
        names = {job.name for job in created}
        if len(names) == 1:
            [name] = names
            self.attributes[DESTINATION] = name
            self.span.set_attribute(DESTINATION, name)
            self.span.update_name(_name(self.call.operation, name))

    def sent(self, failure: BaseException | None) -> int:
        """How many jobs were to be created, whether or not they were; of some calls only the result tells."""
        if self.call.attempted is not None:
            return self.call.attempted
        return 0 if failure is not None else self._created

    def finish(self, failure: BaseException | None, seconds: float) -> None:
        self._telemetry.finish_call(self, failure, seconds)


class HandlerSpan:
    """The span of a call of a handler that is under way."""

    failure: BaseException | None = None

    def failed(self, error: BaseException) -> None:
        """The handler has failed with this; the first error counts."""
        self.failure = self.failure or error


def in_current_trace(jobs: Sequence[Job]) -> list[Job]:
    """The jobs as parts of the trace that is current, to be handled in another process."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None or not trace.get_current_span().get_span_context().is_valid:
        return list(jobs)
    from opentelemetry.propagate import inject

    carrier: dict[str, str] = {}
    inject(carrier)
    return [replace(job, trace_context=carrier) for job in jobs]


@contextmanager
def trace_continued(jobs: Sequence[Job]) -> Iterator[None]:
    """In the other process: let the trace be current that :func:`in_current_trace` has written down."""
    carrier = jobs[0].trace_context
    if not carrier or find_spec("opentelemetry") is None:
        yield
        return
    from opentelemetry.propagate import extract

    with _attached(extract(carrier)):
        yield


@contextmanager
def _attached(context: Context) -> Iterator[None]:
    from opentelemetry import context as contexts

    token = contexts.attach(context)
    try:
        yield
    finally:
        contexts.detach(token)


def _name(operation: str, destination: str | None) -> str:
    return f"{operation} {destination}" if destination else operation


def _for_metrics(attributes: Mapping[str, Any], failure: BaseException | None) -> dict[str, Any]:
    kept = {name: value for name, value in attributes.items() if name not in NOT_IN_METRICS}
    if failure is not None:
        kept[ERROR_TYPE] = type(failure).__name__
    return kept


def _ids_of(value: Any) -> tuple[Sequence[UUID], int]:
    """The ids of the jobs that a call was about, and how many it has created."""
    match value:
        case UUID():
            return [value], 1
        case Settled():
            return value.requested, 0
        case FlowIds():
            return list(value.values()), len(value)
        case dict():
            ids = [id for id in value.values() if id is not None]
            return ids, len(ids)
        case list():
            ids = [item.id if isinstance(item, Job) else item for item in value]
            return ids, len(ids)
        case _ if hasattr(value, "inserted"):
            return value.jobs, value.inserted
    return (), 0
