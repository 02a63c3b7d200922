// The spans of pg-boss instances in this process, collected by the real OpenTelemetry SDK.

import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'

const exporter = new InMemorySpanExporter()
const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })

// Without one, spans of one process would not be each other's parents.
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())

export const openTelemetry = { propagateContext: true, propagator: new W3CTraceContextPropagator(), tracerProvider }

// Run a function within a span, as an application does that handles a request.
export function within (name, run) {
  const span = tracerProvider.getTracer('test').startSpan(name)
  return context.with(trace.setSpan(context.active(), span), run).finally(() => span.end())
}

export function spans () {
  return exporter.getFinishedSpans().map(span => ({
    name: span.name,
    kind: span.kind,
    traceId: span.spanContext().traceId,
    spanId: span.spanContext().spanId,
    parentId: span.parentSpanContext?.spanId ?? null,
    links: span.links.map(link => link.context.spanId),
    attributes: span.attributes
  }))
}
