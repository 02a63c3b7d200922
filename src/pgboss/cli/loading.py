"""Finding the job definitions that a command line names: ``myapp.jobs:jobs``."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Collection, Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from pgboss.errors import ConfigurationError

if TYPE_CHECKING:
    from pgboss.jobs import Jobs

__all__ = ["load_jobs", "only_queues"]

DEFAULT_NAME = "jobs"


def load_jobs(places: Sequence[str]) -> Jobs:
    """The definitions of all places, from modules in the current folder or installed.

    Args:
        places: each ``module:name`` of a ``Jobs`` registry; the name may have dots, and is ``jobs`` when left out.

    Raises:
        ConfigurationError: a module is not found, fails to import or has no such registry, or two definitions of
            different places share a name.
    """
    from pgboss.jobs import Jobs

    # As `python -m` does; a script's own folder is where pgboss is installed, which helps nobody.
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return Jobs.merge(*(_load(place) for place in places))


def only_queues(jobs: Jobs, queues: Collection[str]) -> Jobs:
    """The same definitions, of which only those of these queues are worked; none named means all.

    The others stay without their handlers, so that their queues are still created: jobs may be sent to them.

    Raises:
        ConfigurationError: a queue has no definition with a handler, or nothing is left to work.
    """
    from pgboss.jobs import Jobs

    workable = {definition.name for definition in jobs if definition.handler is not None}
    chosen = set(queues) or workable
    unknown = sorted(chosen - workable)
    if unknown:
        raise ConfigurationError(
            f"No handler for {', '.join(unknown)}; there are handlers for: {', '.join(sorted(workable)) or 'nothing'}."
        )
    if not chosen:
        raise ConfigurationError("There is nothing to work: none of these definitions has a handler.")
    kept = Jobs()
    for definition in jobs:
        kept.add(definition if definition.name in chosen else dataclasses.replace(definition, handler=None))
    return kept


def _load(place: str) -> Jobs:
    from pgboss.jobs import Jobs

    module_name, _, name = place.partition(":")
    found: object = _import(place, module_name)
    for part in (name or DEFAULT_NAME).split("."):
        found = _attribute(place, module_name, found, part)
    if not isinstance(found, Jobs):
        raise ConfigurationError(
            f"{place} is {_described(found)}, not a Jobs registry. Name the object made by `jobs = Jobs()`."
        )
    return found


def _import(place: str, module_name: str) -> ModuleType:
    if "/" in module_name or module_name.endswith(".py"):
        dotted = module_name.removeprefix("./").removesuffix(".py").replace("/", ".")
        raise ConfigurationError(f"{place} names a file; name the module: {dotted}:{DEFAULT_NAME}.")
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise ConfigurationError(f"{place!r} names no module. Write it as module:name, such as myapp.jobs:jobs.")
    try:
        return import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise ConfigurationError(
                f"There is no module {error.name!r}, neither in {os.getcwd()} nor installed."
            ) from error
        raise _import_failed(module_name, error) from error
    except (Exception, SystemExit) as error:
        raise _import_failed(module_name, error) from error


def _import_failed(module_name: str, error: BaseException) -> ConfigurationError:
    where = _raised_in(error)
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return ConfigurationError(
        f"The module {module_name} cannot be imported: {reason}{f' ({where})' if where else ''}. "
        "--debug shows the traceback."
    )


def _raised_in(error: BaseException) -> str | None:
    """The innermost line that is no library's: most likely the one to mend."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    place = None
    trace = error.__traceback__
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if filename.startswith(os.getcwd()) and "site-packages" not in filename:
            place = f"{filename}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _attribute(place: str, module_name: str, holder: object, name: str) -> object:
    try:
        return getattr(holder, name)
    except AttributeError:
        registries = [] if not isinstance(holder, ModuleType) else _registries(holder)
        hint = f" It has the registries {', '.join(registries)}." if registries else ""
        raise ConfigurationError(f"{place}: {module_name} has no {name!r}.{hint}") from None


def _registries(module: ModuleType) -> list[str]:
    from pgboss.jobs import Jobs

    return [f"{module.__name__}:{name}" for name, value in vars(module).items() if isinstance(value, Jobs)]


def _described(value: object) -> str:
    if isinstance(value, ModuleType):
        return "a module"
    return f"a {type(value).__name__}" if not callable(value) else "a function or class"
