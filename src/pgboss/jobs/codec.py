"""Between JSON and the types a job declares: payloads both ways, results one way.

What is stored is what counts: a payload is checked as the JSON text that will lie in the row, and again when it comes
out of the row, because other programs and other releases write rows too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, partial
from types import NoneType
from typing import Annotated, Any, Generic, TypeAlias, TypeVar, cast

from pydantic import BeforeValidator, TypeAdapter
from pydantic import ValidationError as Invalid
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUndefinedAnnotation, PydanticUserError

from pgboss.core.wire import JSON, Unreadable, dump_model, dumps, payload_errors
from pgboss.errors import ConfigurationError, PayloadError
from pgboss.jobs.problems import describe

__all__ = ["FindType", "PayloadCodec", "ResultCodec", "plain"]

P = TypeVar("P")
R = TypeVar("R")

FindType: TypeAlias = Callable[[], Any]
"""Returns the declared type; raises NameError while a name in its annotation is not defined yet."""

_PLAIN = (Any, object)


def plain() -> Any:
    """The type of plain JSON, as a :data:`FindType`."""
    return Any


# Programs that have nothing to say send null or an empty object; a handler whose payload is None takes both.
_Nothing = Annotated[None, BeforeValidator(lambda value: None if value == {} else value)]


class PayloadCodec(Generic[P]):
    """Turns payloads of one job into JSON and back.

    A type that is ``Any`` (or ``object``) means plain JSON, which passes through untouched.

    Raises:
        ConfigurationError: pydantic cannot handle the type.
    """

    def __init__(self, job: str, find_type: FindType) -> None:
        self._job = job
        self._find_type = find_type
        self._adapter: TypeAdapter[P] | None = None
        self._built = False
        with suppress(NameError):
            self._build()

    def prepare(self) -> None:
        """Find the payload's type, if the definition had to wait for names defined later in its module.

        Raises:
            ConfigurationError: a name of the annotation is still unknown, or pydantic cannot handle the type.
        """
        if self._built:
            return
        try:
            self._build()
        except NameError as error:
            raise ConfigurationError(
                f"{self._job}: the payload's type is not known: {_first_line(error)}. Import or define it where the "
                "handler stands, not only 'if TYPE_CHECKING', before the first job is sent or worked."
            ) from error

    def encode(self, payload: P) -> JSON:
        """The payload as JSON that decodes again: from an instance of the type, or anything the type accepts.

        Fields go by their aliases. An instance is checked like anything else: it may have been changed since it was
        made.

        Raises:
            PayloadError: it does not fit the type, or holds what JSON cannot; the message names job and field.
            ConfigurationError: see :meth:`prepare`.
        """
        self.prepare()
        if self._adapter is None:
            return payload
        try:
            value = self._adapter.validate_python(payload)
            with payload_errors(self._what):
                # Derived fields stay out: the type need not accept what it computes itself.
                document = dump_model(partial(self._adapter.dump_python, value), round_trip=True)
            self._adapter.validate_json(dumps(document, what=self._what))
        except Invalid as error:
            raise PayloadError(f"{self._job}: {describe(error)}.") from None
        return document

    def decode(self, data: JSON) -> P:
        """The payload within a row, by the rules of JSON: text is read as dates, UUIDs and the like.

        What a validator of the user's own raises passes through, unless pydantic takes it for a finding.

        Raises:
            PayloadError: it does not fit the type; the message names job and field.
            ConfigurationError: see :meth:`prepare`.
        """
        if isinstance(data, Unreadable):
            raise PayloadError(f"{self._job}: Python cannot read the data of this job: {data.reason}.")
        self.prepare()
        if self._adapter is None:
            return cast("P", data)
        try:
            return self._adapter.validate_json(dumps(data, what=self._what))
        except Invalid as error:
            missing = "the job carries no data: " if data is None else ""
            raise PayloadError(f"{self._job}: {missing}{describe(error)}.") from None

    def json_schema(self) -> JSON | None:
        """The JSON schema of payloads; ``None`` where any JSON will do, or the type has none.

        Raises:
            ConfigurationError: see :meth:`prepare`.
        """
        self.prepare()
        with suppress(PydanticInvalidForJsonSchema):
            return None if self._adapter is None else self._adapter.json_schema()
        return None

    @property
    def _what(self) -> str:
        return f"payload of {self._job}"

    def _build(self) -> None:
        declared = self._find_type()
        if declared not in _PLAIN:
            self._adapter = self._adapter_for(_Nothing if declared is NoneType else declared)
        self._built = True

    def _adapter_for(self, declared: Any) -> TypeAdapter[P]:
        try:
            adapter: TypeAdapter[P] = TypeAdapter(declared)
            adapter.rebuild()  # does nothing unless a model within refers to a name that was not defined yet
        except PydanticUndefinedAnnotation:
            raise  # a NameError: it may resolve later
        except PydanticUserError as error:
            raise ConfigurationError(
                f"{self._job}: pydantic cannot handle the payload's type: {_first_line(error)}"
            ) from error
        return adapter


class ResultCodec(Generic[R]):
    """Turns what a handler returned into JSON and back, by its return annotation.

    A result is written as it is, never checked against the annotation: the work is done, and doing it again because
    of the shape of its report would help nobody. Whoever reads it back has it checked.
    """

    def __init__(self, job: str, find_type: FindType) -> None:
        self._job = job
        self._find_type = find_type

    def encode(self, value: R) -> JSON:
        """The result as it is to be stored as the job's output, which is where it must prove to be JSON.

        Raises:
            PayloadError: it is a coroutine that nobody awaited.
        """
        if value is None:
            return None
        self.refuse_coroutine(value)
        if self._adapter is None:
            return value
        try:
            return dump_model(partial(self._adapter.dump_python, value))
        except Exception:  # noqa: BLE001  upon a value of another type, serializers may raise anything
            return value

    def refuse_coroutine(self, value: object) -> None:
        """Raise ``PayloadError`` when the handler returned a coroutine that nobody awaited."""
        if inspect.iscoroutine(value):
            value.close()
            raise PayloadError(
                f"{self._job}: the handler is a plain function and returned a coroutine, which was not awaited. "
                "Make the handler async def and await there."
            )

    def decode(self, output: JSON) -> R | None:
        """What the handler returned, from a completed job's output; ``None`` when it returned nothing.

        Raises:
            PayloadError: it does not fit the declared type; the message names job and field.
        """
        if output is None:
            return None
        if isinstance(output, Unreadable):
            raise PayloadError(f"{self._job}: Python cannot read the output of this job: {output.reason}.")
        bare = _unwrapped(output)
        if self._adapter is None:
            return cast("R", bare)
        try:
            return self._read(output)
        except Invalid as error:
            if bare is output:
                raise PayloadError(f"{self._job}: the result: {describe(error)}.") from None
        try:
            return self._read(bare)
        except Invalid as error:
            raise PayloadError(f"{self._job}: the result: {describe(error)}.") from None

    def _read(self, value: JSON) -> R | None:
        return None if self._adapter is None else self._adapter.validate_json(dumps(value, what="result"))

    @cached_property
    def _adapter(self) -> TypeAdapter[R] | None:
        # A type that cannot be found or handled costs only its own treatment: models and dataclasses are written as
        # objects without it too.
        try:
            declared = self._find_type()
            return None if declared in (*_PLAIN, NoneType) else TypeAdapter(declared)
        except (NameError, PydanticUserError):
            return None


def _unwrapped(output: JSON) -> JSON:
    """Out of ``{"value": …}``, in which everything but objects is stored: docs/compatibility.md, "Output"."""
    if isinstance(output, dict) and output.keys() == {"value"} and not isinstance(output["value"], dict):
        return output["value"]
    return output


def _first_line(error: Exception) -> str:
    """Without the links that pydantic adds on lines of their own."""
    return str(error).split("\n", 1)[0]
