"""What users may rely on: every public name with its signature. A change here is a change for them."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator

import pgboss
from support.golden import check_golden


def test_public_names() -> None:
    check_golden("public_names.txt", "\n".join(line for name in pgboss.__all__ for line in described(name)))


def described(name: str) -> Iterator[str]:
    thing = getattr(pgboss, name)
    if not inspect.isclass(thing):
        yield f"{name}{signature(thing)}" if inspect.isfunction(thing) else f"{name}: {type(thing).__name__}"
        return
    bases = ", ".join(
        base.__name__ for base in thing.__bases__ if base.__module__ != "builtins" or name.endswith("Error")
    )
    yield f"class {name}({bases})" if bases else f"class {name}"
    if dataclasses.is_dataclass(thing):
        yield from (f"    {field.name}: {field.type}" for field in dataclasses.fields(thing))
    elif "__init__" in vars(thing):
        yield f"    __init__{signature(thing.__init__)}"
    yield from (f"    {line}" for line in members(thing))


def members(thing: type) -> Iterator[str]:
    for name in sorted(name for name in dir(thing) if not name.startswith("_")):
        member = inspect.getattr_static(thing, name)
        if isinstance(member, property):
            yield f"{name}: property"
            continue
        function = getattr(thing, name)
        if inspect.isroutine(function) and str(getattr(function, "__module__", "")).startswith("pgboss"):
            yield f"{'async ' if inspect.iscoroutinefunction(function) else ''}{name}{signature(function)}"


def signature(function: object) -> str:
    assert callable(function)
    return str(inspect.signature(function)).replace("'", "")
