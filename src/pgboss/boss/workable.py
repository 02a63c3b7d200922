"""What ``work`` is asked for: which definition is to be worked, and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pgboss.core.target import QueueLike, queue_name
from pgboss.core.work_options import WorkKeywords, WorkOptions
from pgboss.errors import ConfigurationError
from pgboss.jobs import JobDefinition
from pgboss.jobs.elsewhere import check_executor

__all__ = ["workable"]


def workable(
    queue: QueueLike, handler: Callable[..., Any] | None, options: WorkKeywords
) -> tuple[JobDefinition[Any, Any], WorkOptions]:
    """The definition of a queue, or one made of a handler, and its options with those of the call above them.

    Raises:
        ValidationError: an option is out of its range.
        ConfigurationError: there is no handler, or one too many, or it cannot be called in the way the options ask.
    """
    unknown = sorted(set(options) - set(WorkKeywords.__annotations__))
    if unknown:
        raise ConfigurationError(
            f"work() has no option {unknown[0]!r}; there are {', '.join(sorted(WorkKeywords.__annotations__))}."
        )
    if not isinstance(queue, JobDefinition):
        if handler is None:
            raise ConfigurationError(f"work({queue_name(queue)!r}) needs a handler.")
        definition = JobDefinition.untyped(queue_name(queue), handler, **options)
        return definition, definition.work_options
    if handler is not None:
        raise ConfigurationError(f"The definition {queue.name!r} has a handler of its own: leave handler= out.")
    if queue.handler is None:
        raise ConfigurationError(f"The definition {queue.name!r} was declared without a handler, to be sent only.")
    merged = WorkOptions(**options).over(queue.work_options)
    if (merged.is_batch, merged.is_transactional) != (queue.is_batch, queue.is_transactional):
        raise ConfigurationError(
            f"The handler of {queue.name!r} takes what its definition says: batch_size is for those made with "
            "@jobs.batch, and transactional belongs in the decorator."
        )
    check_executor(queue.name, queue.handler, merged)
    return queue, merged
