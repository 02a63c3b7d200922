"""How an instance tells OpenTelemetry of its work: docs/compatibility.md, "Telemetry"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pgboss.errors import ConfigurationError, ValidationError

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.propagators.textmap import TextMapPropagator
    from opentelemetry.trace import TracerProvider

__all__ = ["OpenTelemetryOptions", "telemetry_options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTelemetryOptions:
    """What of OpenTelemetry is used. Spans and metrics go nowhere until the application sets up an SDK.

    Attributes:
        enabled: whether there are spans and metrics at all; they need ``pip install 'pgboss[opentelemetry]'``.
        propagate_context: whether jobs carry the trace of their sender, so that their handlers continue it, in Python
            and in Node. Off by default, as with pg-boss: the trace is then readable for everybody who reads jobs.
        propagator: what writes and reads it; the global one by default.
        tracer_provider: where spans go; the global one by default.
        meter_provider: where metrics go; the global one by default.

    Raises:
        ValidationError: a switch is neither True nor False.
    """

    enabled: bool = True
    propagate_context: bool = False
    propagator: TextMapPropagator | None = None
    tracer_provider: TracerProvider | None = None
    meter_provider: MeterProvider | None = None

    def __post_init__(self) -> None:
        for name in ("enabled", "propagate_context"):
            if not isinstance(getattr(self, name), bool):
                raise ValidationError(f"{name} must be True or False, not {getattr(self, name)!r}.")


def telemetry_options(given: object) -> OpenTelemetryOptions | None:
    """The options of an instance; ``None`` when it is to tell nothing.

    Raises:
        ConfigurationError: something else was given.
    """
    if isinstance(given, bool):
        given = OpenTelemetryOptions(enabled=given)
    if not isinstance(given, OpenTelemetryOptions):
        raise ConfigurationError(f"open_telemetry must be OpenTelemetryOptions, True or False, not {given!r:.100}.")
    return given if given.enabled else None
