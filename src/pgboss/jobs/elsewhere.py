"""Handlers that run in processes of their own: whether they can be found there, and how.

Another process has nothing but names: it imports the handler's module, as every program would. So the payload and the
result never travel as objects of the user's, only as the JSON that is in their rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pgboss.core.work_options import WorkOptions
from pgboss.errors import ConfigurationError
from pgboss.jobs.handlers import Handler, describe, is_async
from pgboss.runtime.addresses import Address, NotImportable, address_of_function, find

if TYPE_CHECKING:
    from pgboss.jobs.definition import JobDefinition

__all__ = ["Import", "check_executor", "import_of"]


@dataclass(frozen=True, slots=True)
class Import:
    """What another process needs to know to get at a definition.

    Attributes:
        job: its name.
        handler: where its handler is.
        is_typed: whether the handler takes the payload first, as those of :class:`~pgboss.jobs.registry.Jobs` do.
        batch_size: of a handler that takes lists.
    """

    job: str
    handler: Address
    is_typed: bool
    batch_size: int | None

    def definition(self) -> JobDefinition[Any, Any]:
        """Import it, in the other process.

        Raises:
            Exception: whatever the module raises while it is imported.
        """
        from pgboss.jobs.definition import JobDefinition
        from pgboss.jobs.registry import Jobs

        found = find(self.handler)
        if not isinstance(found, JobDefinition):
            handler = found
        elif found.name == self.job and self.is_typed:
            return found
        else:
            handler = found.handler
        if not self.is_typed:
            return JobDefinition.untyped(self.job, handler, batch_size=self.batch_size)
        decorator = (
            Jobs().job(self.job) if self.batch_size is None else Jobs().batch(self.job, batch_size=self.batch_size)
        )
        made: JobDefinition[Any, Any] = decorator(handler)
        return made


def check_executor(job: str, handler: Handler, options: WorkOptions) -> None:
    """Refuse a handler that cannot run where it shall.

    Raises:
        ConfigurationError: it is async, or another process could not import it; the message says why.
    """
    if options.executor in ("thread", "process") and is_async(handler):
        raise ConfigurationError(
            f"{job}: the handler {describe(handler)} is async and runs in the event loop; "
            f"executor={options.executor!r} is for plain functions. Make it def, or leave executor out."
        )
    if options.is_in_process:
        _address(job, handler)


def import_of(definition: JobDefinition[Any, Any]) -> Import:
    """What another process needs to know, once it is sure that the function itself is where its name says.

    Raises:
        ConfigurationError: it is not; the message says why.
    """
    from pgboss.jobs.definition import Takes

    job, handler, batch_size = definition.name, definition.handler, definition.work_options.batch_size
    if handler is None:
        raise ConfigurationError(f"{job}: it is declared without a handler.")
    return Import(
        job=job,
        handler=_address_of_itself(job, handler),
        is_typed=definition.takes is not Takes.JOB,
        batch_size=batch_size if isinstance(batch_size, int) else None,
    )


def _address_of_itself(job: str, handler: Handler) -> Address:
    address = _address(job, handler)
    try:
        # By the name that its module has here: the main one would be imported a second time by the name it has there.
        found = find(Address(handler.__module__, address.name))
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"{job}: {_cannot(handler)}: {error}.") from None
    if found is not handler and getattr(found, "handler", None) is not handler:
        raise ConfigurationError(
            f"{job}: {_cannot(handler)}: {address} is something else, perhaps what a decorator has put in its place. "
            "Let the decorator of the job be the outermost one, and give the function a name of its own."
        )
    return address


def _address(job: str, handler: Handler) -> Address:
    try:
        return address_of_function(handler)
    except NotImportable as reason:
        raise ConfigurationError(f"{job}: {_cannot(handler)}: {reason}.") from None


def _cannot(handler: Handler) -> str:
    return f'the handler {describe(handler)} cannot run with executor="process", which imports it by name'
