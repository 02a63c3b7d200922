"""Handlers looked at from outside: what they take, what types they declare, and whether they are fit to be called.

A handler that cannot work is refused when it is defined, in words; at its first job it would be too late.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias, get_type_hints

from pgboss.core.job import Job
from pgboss.errors import ConfigurationError

if sys.version_info >= (3, 14):
    from annotationlib import Format

    # Names that are not defined yet come as forward references here, instead of raising.
    signature = partial(inspect.signature, annotation_format=Format.FORWARDREF)
else:
    signature = inspect.signature

__all__ = ["Handler", "Signature", "check_job_handler", "describe", "is_async"]

Handler: TypeAlias = Callable[..., Any]

_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Signature:
    """The parameters of a typed handler: the payload and perhaps the job.

    Args:
        job: the job's name, for messages.
        local_names: names known where the handler was defined, beside those of its module.

    Raises:
        ConfigurationError: the handler is nothing that can be called with a payload, or with a payload and a job.
    """

    def __init__(self, job: str, handler: Handler, local_names: Mapping[str, Any]) -> None:
        _check_kind(job, handler)
        self._handler = handler
        self._local_names = dict(local_names)
        try:
            found = signature(handler)
        except ValueError:
            raise ConfigurationError(f"{job}: the parameters of {describe(handler)} cannot be read.") from None
        self._returns = found.return_annotation
        self._payload, self.takes_job = self._read(job, _positional(job, handler, found))

    def payload_type(self) -> Any:
        """The payload's type; ``Any`` when it is not annotated.

        Raises:
            NameError: the annotation holds a name that is not defined yet.
        """
        return self._resolve(self._payload)

    def result_type(self) -> Any:
        """The result's type, as :meth:`payload_type`."""
        return self._resolve(self._returns)

    def _read(self, job: str, positional: list[inspect.Parameter]) -> tuple[Any, bool]:
        where = f"{job}: the handler {describe(self._handler)}"
        if not positional:
            raise ConfigurationError(f"{where} takes no parameters; it must take the payload, and may take the Job.")
        if len(positional) > 2:
            raise ConfigurationError(
                f"{where} takes {len(positional)} parameters; it may take the payload and the Job, nothing else."
            )
        payload = positional[0]
        if payload.name in ("self", "cls"):
            raise ConfigurationError(f"{where} is a method of a class; define it as a function of its module.")
        if self._is_job(payload.annotation):
            raise ConfigurationError(
                f"{where} takes the Job as its first parameter; the payload comes first, the Job second. "
                "Without a payload type, annotate the first as Any."
            )
        if len(positional) == 2 and not self._may_be_job(positional[1].annotation):
            raise ConfigurationError(
                f"{where} takes a second parameter {positional[1].name!r}, which must be annotated as Job."
            )
        return payload.annotation, len(positional) == 2

    def _is_job(self, annotation: Any) -> bool:
        try:
            return self._resolve(annotation) is Job
        except NameError:
            # Commonly imported for type checkers only.
            return bool(getattr(annotation, "__forward_arg__", annotation) == "Job")

    def _may_be_job(self, annotation: Any) -> bool:
        try:
            return self._resolve(annotation) in (Job, Any, object)
        except NameError:
            return True

    def _resolve(self, annotation: Any) -> Any:
        if annotation is inspect.Parameter.empty:
            return Any

        def holder() -> None: ...

        # One at a time: a name that only type checkers know, in one annotation, must not hide the others.
        holder.__annotations__ = {"it": annotation}
        names = getattr(inspect.unwrap(self._handler), "__globals__", {})
        return get_type_hints(holder, names, self._local_names, include_extras=True)["it"]


def check_job_handler(job: str, handler: Handler) -> None:
    """Refuse a handler that cannot be called with a job alone, as those of ``work`` are.

    Raises:
        ConfigurationError: it is not callable, yields, or takes other parameters.
    """
    _check_callable(job, handler)
    try:
        found = signature(handler)
    except ValueError:  # a builtin that does not tell
        return
    try:
        found.bind(object())
    except TypeError:
        raise ConfigurationError(
            f"{job}: the handler {describe(handler)}{found} must take the job and nothing else. "
            "For a handler that takes the payload use @jobs.job."
        ) from None


def is_async(handler: Handler) -> bool:
    """Whether calling the handler gives a coroutine; anything else runs in a thread."""
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)


def describe(handler: Handler) -> str:
    """The handler as it is found in the source."""
    name = getattr(handler, "__qualname__", None) or type(handler).__qualname__
    return f"{handler.__module__}.{name}"


def _check_callable(job: str, handler: object) -> None:
    if not callable(handler):
        raise ConfigurationError(f"{job}: the handler must be a function, not {type(handler).__name__}: {handler!r}.")
    if inspect.isclass(handler):
        raise ConfigurationError(f"{job}: the handler {handler.__qualname__} is a class; give a function.")
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        raise ConfigurationError(
            f"{job}: the handler {describe(handler)} is a generator: it yields, so calling it runs nothing. "
            "Return the result instead."
        )


def _check_kind(job: str, handler: Handler) -> None:
    _check_callable(job, handler)
    if not inspect.isroutine(handler):
        raise ConfigurationError(
            f"{job}: the handler must be a function made with def or async def, not {type(handler).__name__}."
        )
    if handler.__name__ == "<lambda>":
        raise ConfigurationError(
            f"{job}: the handler is a lambda; define a function with a name, so that its types can be declared "
            "and it can be found in error messages."
        )


def _positional(job: str, handler: Handler, found: inspect.Signature) -> list[inspect.Parameter]:
    """The positional parameters, once there is nothing else that would need an argument."""
    positional = []
    for parameter in found.parameters.values():
        if parameter.kind in _POSITIONAL:
            positional.append(parameter)
        elif parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            raise ConfigurationError(
                f"{job}: the handler {describe(handler)} takes {parameter}; name its parameters: the payload, "
                "and perhaps the Job."
            )
        elif parameter.default is inspect.Parameter.empty:
            raise ConfigurationError(
                f"{job}: the handler {describe(handler)} needs the keyword argument {parameter.name!r}, "
                "which nobody would give."
            )
    return positional
