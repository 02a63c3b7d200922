"""Where another process finds an object: the module and the name by which it is imported.

A spawned process inherits nothing of what is in memory here. What it shall run must therefore be found by name, in a
module that it can import too; what cannot is refused here, in words.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import FunctionType, ModuleType
from typing import Any

__all__ = ["Address", "NotImportable", "address_of_function", "address_of_value", "find"]

MAIN = "__main__"
# As multiprocessing calls it, so that `if __name__ == "__main__"` is not entered and tools know what it is.
MAIN_ELSEWHERE = "__mp_main__"


class NotImportable(Exception):  # noqa: N818  a finding, which the caller puts into words of its own
    """Another process could not import the object; says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """A module and a dotted name in it.

    Attributes:
        module: the module's name.
        name: the object's, with dots for what lies within classes.
        path: the file of the module, where it is the main one and has no name by which it is imported.
    """

    module: str
    name: str
    path: str | None = None

    def __str__(self) -> str:
        return f"{self.path or self.module}:{self.name}"


def address_of_function(function: Callable[..., Any]) -> Address:
    """The address by which another process can import a function.

    Whether the name means the function is not asked here, because a decorator comes before its name: see :func:`find`.

    Raises:
        NotImportable: it is a lambda, defined within another function, no plain function, or its module has no file.
    """
    if not isinstance(function, FunctionType):
        raise NotImportable(
            f"a process can be given a function made with def only, not {type(function).__name__}: wrap it in one"
        )
    if function.__name__ == "<lambda>":
        raise NotImportable("it is a lambda, which has no name to import it by: define a function in a module")
    if "<locals>" in function.__qualname__:
        raise NotImportable(
            f"{function.__qualname__} lies within another function, where no other process can find it: define it at "
            "the top of a module. If a decorator made it, let the decorator use functools.wraps"
        )
    return _address(function.__module__, function.__qualname__)


def address_of_value(value: object, what: str) -> Address:
    """The address of something that a module holds under a name of its own, looked for in all modules.

    Raises:
        NotImportable: none does.
    """
    for module_name, module in sorted(sys.modules.items(), key=lambda item: item[0] != MAIN):
        if module_name == MAIN_ELSEWHERE:
            continue
        for name, held in list(getattr(module, "__dict__", {}).items()):
            if held is value:
                return _address(module_name, name)
    raise NotImportable(f"{what} is no module's: keep it in a variable at the top of a module")


def find(address: Address) -> Any:
    """Import what lies at the address.

    Raises:
        ImportError: there is no such module.
        AttributeError: it holds no such name.
        Exception: whatever the module raises while it is imported.
    """
    module = import_module(address.module) if address.path is None else _main_from(address.path)
    return reduce(getattr, address.name.split("."), module)


def _address(module_name: str, name: str) -> Address:
    module = sys.modules.get(module_name)
    spec = getattr(module, "__spec__", None)
    if spec is not None:
        # The main module of `python -m package.module` has a name of its own.
        return Address(spec.name if module_name == MAIN else module_name, name)
    path = getattr(module, "__file__", None)
    if module_name == MAIN and isinstance(path, str) and os.path.isfile(path):
        return Address(MAIN, name, os.path.abspath(path))
    where = "an interactive session" if module_name == MAIN else f"{module_name}, which was imported from nowhere"
    raise NotImportable(f"{name} is defined in {where}, where no other process can find it: define it in a module")


def _main_from(path: str) -> ModuleType:
    """The main program's module under another name, as if it had been imported."""
    loaded = sys.modules.get(MAIN_ELSEWHERE)
    if loaded is not None:
        return loaded
    loader = SourceFileLoader(MAIN_ELSEWHERE, path)
    spec = spec_from_loader(MAIN_ELSEWHERE, loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[MAIN] = sys.modules[MAIN_ELSEWHERE] = module
    loader.exec_module(module)
    return module
