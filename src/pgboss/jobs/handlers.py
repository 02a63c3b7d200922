"""Handlers looked at from outside: what they take, what types they declare, and whether they are fit to be called.

A handler that cannot work is refused when it is defined, in words; at its first job it would be too late.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import or_
from types import NoneType, UnionType
from typing import Any, Final, TypeAlias, Union, get_args, get_origin, get_type_hints

from pgboss.core.job import Job, JobDetails
from pgboss.errors import ConfigurationError

if sys.version_info >= (3, 14):
    from annotationlib import Format

    # Names that are not defined yet come as forward references here, instead of raising.
    signature = partial(inspect.signature, annotation_format=Format.FORWARDREF)
else:
    signature = inspect.signature

__all__ = ["Handler", "Shape", "Signature", "check_job_handler", "describe", "is_async"]

Handler: TypeAlias = Callable[..., Any]

_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


_LISTS: Final = (list, Sequence, Collection, Iterable)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a handler is called with, beside what its own parameters say.

    Attributes:
        is_batch: lists, of payloads and of jobs, instead of one.
        is_transactional: also the connection on which its jobs will be completed.
        has_metadata: jobs come as ``JobDetails``.
    """

    is_batch: bool = False
    is_transactional: bool = False
    has_metadata: bool = False

    @property
    def words(self) -> str:
        """The parameters of a typed handler, for messages."""
        payload, job = ("the list of payloads", "the list of Jobs") if self.is_batch else ("the payload", "the Job")
        if self.is_transactional:
            return f"must take {payload}, {job} and the connection"
        return f"must take {payload}, and may take {job}"


class Signature:
    """The parameters of a typed handler: the payload and perhaps the job, or lists of them, and the connection.

    Args:
        job: the job's name, for messages.
        local_names: names known where the handler was defined, beside those of its module.

    Raises:
        ConfigurationError: the handler is nothing that can be called in this shape.
    """

    def __init__(self, job: str, handler: Handler, local_names: Mapping[str, Any], shape: Shape = Shape()) -> None:
        _check_kind(job, handler)
        self._job = job
        self._handler = handler
        self._local_names = dict(local_names)
        self._shape = shape
        try:
            found = signature(handler)
        except ValueError:
            raise ConfigurationError(f"{job}: the parameters of {describe(handler)} cannot be read.") from None
        self._returns = found.return_annotation
        self._payload, self.takes_job = self._read(_positional(job, handler, found))

    def payload_type(self) -> Any:
        """The payload's type, in a batch that of one payload; ``Any`` when it is not annotated.

        Raises:
            NameError: the annotation holds a name that is not defined yet.
            ConfigurationError: a batch handler's first parameter is annotated as something else than a list.
        """
        declared = self._resolve(self._payload)
        if not self._shape.is_batch or declared in (Any, object):
            return declared
        if get_origin(declared) in _LISTS:
            return get_args(declared)[0]
        if declared in _LISTS:
            return Any
        raise ConfigurationError(
            f"{self._where} takes a batch; annotate its first parameter as list[...] of the payload's type, "
            f"not as {declared!r}."
        )

    def result_type(self) -> Any:
        """The result's type, in a batch that of one job's result.

        Raises:
            NameError: the annotation holds a name that is not defined yet.
        """
        declared = self._resolve(self._returns)
        return _result_of_one(declared) if self._shape.is_batch else declared

    @property
    def _where(self) -> str:
        return f"{self._job}: the handler {describe(self._handler)}"

    def _read(self, positional: list[inspect.Parameter]) -> tuple[Any, bool]:
        self._check_count(len(positional))
        payload, *others = positional
        if payload.name in ("self", "cls"):
            raise ConfigurationError(f"{self._where} is a method of a class; define it as a function of its module.")
        one, job = ("list of payloads", "list[Job]") if self._shape.is_batch else ("payload", "Job")
        if self._is_job(payload.annotation):
            raise ConfigurationError(
                f"{self._where} takes the {job} as its first parameter; the {one} comes first, the {job} second. "
                "Without a payload type, annotate the first as Any."
            )
        if others and not self._may_be_job(others[0].annotation):
            raise ConfigurationError(
                f"{self._where} takes a second parameter {others[0].name!r}, which must be annotated as {job}, or with "
                f"include_metadata=True as {job.replace('Job', 'JobDetails')}."
            )
        return payload.annotation, bool(others)

    def _check_count(self, count: int) -> None:
        if not count:
            raise ConfigurationError(f"{self._where} takes no parameters; it {self._shape.words}.")
        if self._shape.is_transactional and count != 3:
            raise ConfigurationError(
                f"{self._where} is transactional and takes {count} parameters; it {self._shape.words}."
            )
        if not self._shape.is_transactional and count > 2:
            raise ConfigurationError(
                f"{self._where} takes {count} parameters; it {self._shape.words}, nothing else. "
                "For a connection as well, declare it with transactional=True."
            )

    def _is_job(self, annotation: Any) -> bool:
        try:
            return self._resolve(annotation) in self._jobs
        except NameError:
            # Commonly imported for type checkers only.
            wanted = ("list[Job]", "Sequence[Job]") if self._shape.is_batch else ("Job",)
            return getattr(annotation, "__forward_arg__", annotation) in wanted

    def _may_be_job(self, annotation: Any) -> bool:
        try:
            resolved = self._resolve(annotation)
        except NameError:
            return True
        return resolved in (*self._jobs, Any, object) or (
            self._shape.is_batch and (resolved in _LISTS or resolved in (list[Any], Sequence[Any]))
        )

    @property
    def _jobs(self) -> tuple[Any, ...]:
        kinds = (Job, JobDetails) if self._shape.has_metadata else (Job,)
        if not self._shape.is_batch:
            return kinds
        return tuple(many[kind] for many in (list, Sequence, Collection, Iterable) for kind in kinds)

    def _resolve(self, annotation: Any) -> Any:
        if annotation is inspect.Parameter.empty:
            return Any

        def holder() -> None: ...

        # One at a time: a name that only type checkers know, in one annotation, must not hide the others.
        holder.__annotations__ = {"it": annotation}
        names = getattr(inspect.unwrap(self._handler), "__globals__", {})
        return get_type_hints(holder, names, self._local_names, include_extras=True)["it"]


def _result_of_one(declared: Any) -> Any:
    """The type of one job's result, from what a batch handler declares to return; ``Any`` when it does not tell."""
    results: list[Any] = []
    for member in get_args(declared) if get_origin(declared) in (Union, UnionType) else (declared,):
        origin, arguments = get_origin(member), get_args(member)
        if origin in (*_LISTS, tuple):
            results.append(arguments[0])
        elif origin in (dict, Mapping):
            results.append(arguments[1])
        elif member is not NoneType:
            return Any
    plain = [one for result in results for one in _without_exceptions(result)]
    return reduce(or_, plain) if plain else NoneType


def _without_exceptions(declared: Any) -> list[Any]:
    members = get_args(declared) if get_origin(declared) in (Union, UnionType) else (declared,)
    return [one for one in members if not (inspect.isclass(one) and issubclass(one, BaseException))]


def check_job_handler(job: str, handler: Handler, shape: Shape = Shape()) -> None:
    """Refuse a handler that cannot be called with a job, or a list of jobs, as those of ``work`` are.

    Raises:
        ConfigurationError: it is not callable, yields, or takes other parameters.
    """
    _check_callable(job, handler)
    try:
        found = signature(handler)
    except ValueError:  # a builtin that does not tell
        return
    try:
        found.bind(*([object()] * (2 if shape.is_transactional else 1)))
    except TypeError:
        what = "the list of jobs" if shape.is_batch else "the job"
        more = "and the connection, and" if shape.is_transactional else "and"
        raise ConfigurationError(
            f"{job}: the handler {describe(handler)}{found} must take {what} {more} nothing else. "
            f"For a handler that takes the payload use {'@jobs.batch' if shape.is_batch else '@jobs.job'}."
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
