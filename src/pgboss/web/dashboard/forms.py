"""Forms: what was typed, whether it is as it should be, and what is wrong with which field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Self, TypeVar, get_origin

from pydantic import BaseModel
from pydantic import ValidationError as Invalid
from starlette.datastructures import ImmutableMultiDict

from pgboss.errors import PgBossError, ValidationError

__all__ = ["Form"]

M = TypeVar("M", bound=BaseModel)


class Form(Generic[M]):
    """A form, filled in or not, for its page to show (again).

    Attributes:
        values: what stands in each field, as it was typed; lists for models' lists.
        problems: what is wrong, by field; what is wrong with the whole is under the empty name.
    """

    def __init__(self, model: type[M], values: Mapping[str, Any] | None = None) -> None:
        self.values: dict[str, Any] = dict(values or {})
        self.problems: dict[str, str] = {}
        self._model = model

    @classmethod
    def sent(cls, model: type[M], data: ImmutableMultiDict[str, Any]) -> Form[M]:
        """The form as it was sent, or as an address has it. Fields that are empty or blank count as left out."""
        values = {name: _value(model, name, data) for name in model.model_fields}
        return Form(model, {name: value for name, value in values.items() if value})

    def checked(self) -> M:
        """What was filled in.

        Raises:
            ValidationError: something is wrong; ``problems`` says what with which field.
        """
        try:
            return self._model.model_validate(self.values)
        except Invalid as error:
            self.problems = {".".join(map(str, one["loc"])): one["msg"] for one in error.errors()}
            told = "; ".join(f"{name}: {message}" if name else message for name, message in self.problems.items())
            raise ValidationError(told) from None

    def refused(self, error: PgBossError) -> Self:
        """The same form, with what an action had against it, unless that is known of its fields.

        Our errors begin with the name of what is wrong, which may be one of the fields.
        """
        if not self.problems:
            about = next((name for name in self._model.model_fields if str(error).startswith(f"{name} ")), "")
            self.problems = {about: str(error)}
        return self


def _value(model: type[BaseModel], name: str, data: ImmutableMultiDict[str, Any]) -> Any:
    typed = [one for one in data.getlist(name) if isinstance(one, str) and one.strip()]
    if get_origin(model.model_fields[name].annotation) is list:
        return typed
    return typed[0] if typed else None
