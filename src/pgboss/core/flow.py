"""Flows: jobs that wait for others, described before any of them exists.

A flow is either written down whole, as :class:`FlowJob`s that name one another by ref, or grown with :class:`Flow`,
whose jobs come after the handles of jobs added before them. docs/compatibility.md, "Flows".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final, TypeVar, Unpack, overload
from uuid import UUID

from pgboss.core.checks import filled_text
from pgboss.core.names import check_queue_name
from pgboss.core.options import SendKeywords, SendOptions
from pgboss.core.target import QueueLike, Target, outgoing, queue_name
from pgboss.core.wire import JSON
from pgboss.errors import ValidationError

__all__ = ["DependencyRef", "Flow", "FlowIds", "FlowJob", "FlowStep", "flow_jobs"]

P = TypeVar("P")

FEWEST_JOBS = 2


@dataclass(frozen=True, slots=True)
class FlowJob:
    """One job of a flow.

    Attributes:
        ref: its name within the flow.
        queue: a queue's name, or a definition, which then checks and encodes the data.
        depends_on: the refs of the jobs that must be completed before this one may start.
        options: what differs from the queue's options.
    """

    ref: str
    queue: QueueLike
    data: Any = None
    depends_on: Sequence[str] = ()
    options: SendOptions = SendOptions()

    @property
    def name(self) -> str:
        """The queue's name."""
        return queue_name(self.queue)

    @classmethod
    def of(cls, item: FlowJob | Mapping[str, Any]) -> FlowJob:
        """Take a mapping of ``ref``, ``name``, ``data``, ``depends_on`` and ``options``, as pg-boss's ``flow`` does.

        Raises:
            ValidationError: it is neither, or holds something else.
        """
        if isinstance(item, FlowJob):
            return item
        if not isinstance(item, Mapping):
            raise ValidationError(f"A job of a flow must be a FlowJob or a mapping, not {item!r:.100}.")
        if unknown := sorted(str(key) for key in item.keys() - _MAPPING_KEYS):
            raise ValidationError(
                f"A job of a flow has {', '.join(sorted(_MAPPING_KEYS))}, and not {', '.join(unknown)}."
            )
        for needed in ("ref", "name"):
            if needed not in item:
                raise ValidationError(f"A job of a flow needs a {needed}: {dict(item)!r:.100}.")
        options = item.get("options")
        return cls(
            item["ref"], item["name"], item.get("data"), item.get("depends_on") or (), _options(item["ref"], options)
        )


_MAPPING_KEYS: Final = {"ref", "name", "data", "depends_on", "options"}


def _options(ref: object, given: SendOptions | Mapping[str, Any] | None) -> SendOptions:
    if isinstance(given, SendOptions):
        return given
    if given is not None and not isinstance(given, Mapping):
        raise ValidationError(f"options of job {ref!r} must be SendOptions or a mapping of them, not {given!r:.100}.")
    options = dict(given or {})
    if unknown := sorted(options.keys() - {option.name for option in fields(SendOptions)}):
        raise ValidationError(f"Unknown options of job {ref!r} of the flow: {', '.join(unknown)}.")
    return SendOptions(**options)


@dataclass(frozen=True, slots=True, eq=False)
class FlowStep:
    """A job that was added to a :class:`Flow`: what later ones come ``after``, and the key to its id once sent.

    Attributes:
        ref: its name within the flow.
        name: its queue's name.
    """

    ref: str
    name: str


class Flow:
    """A flow in the making. Sending it does not use it up: each time it becomes new jobs with new ids.

    Example:
        flow = Flow()
        parsed = flow.add(parse_document, DocumentParse(path="a.pdf"))
        texts = flow.add(embed_text, EmbedText(path="a.pdf"), after=parsed)
        images = flow.add(embed_images, EmbedImages(path="a.pdf"), after=parsed)
        flow.add(publish, Publish(path="a.pdf"), after=[texts, images])
        ids = await boss.flow(flow)
    """

    def __init__(self) -> None:
        self._jobs: dict[FlowStep, FlowJob] = {}
        self._refs: set[str] = set()

    @overload
    def add(
        self,
        queue: str,
        data: JSON = None,
        *,
        after: FlowStep | Iterable[FlowStep] = (),
        ref: str | None = None,
        **options: Unpack[SendKeywords],
    ) -> FlowStep: ...

    @overload
    def add(
        self,
        queue: Target[None],
        data: None = None,
        *,
        after: FlowStep | Iterable[FlowStep] = (),
        ref: str | None = None,
        **options: Unpack[SendKeywords],
    ) -> FlowStep: ...

    @overload
    def add(
        self,
        queue: Target[P],
        data: P,
        *,
        after: FlowStep | Iterable[FlowStep] = (),
        ref: str | None = None,
        **options: Unpack[SendKeywords],
    ) -> FlowStep: ...

    def add(
        self,
        queue: QueueLike,
        data: object = None,
        *,
        after: FlowStep | Iterable[FlowStep] = (),
        ref: str | None = None,
        **options: Unpack[SendKeywords],
    ) -> FlowStep:
        """Add a job; it may start when all jobs it comes ``after`` are completed.

        Args:
            queue: a queue's name, or a definition.
            data: its payload.
            after: what earlier calls returned.
            ref: its name within the flow; the queue's name by default, with a number from the second job on.
            options: those of ``send``.

        Raises:
            ValidationError: an option is out of range, the ref is taken, or ``after`` holds no step of this flow.
            PayloadError: the data does not fit the definition's payload type.
        """
        name = check_queue_name(queue_name(queue))
        parents = list(after) if isinstance(after, Iterable) else [after]
        for parent in parents:
            if not isinstance(parent, FlowStep) or parent not in self._jobs:
                raise ValidationError(f"after takes what add() of this flow has returned, not {parent!r:.100}.")
        step = FlowStep(self._unused(name) if ref is None else self._checked(ref), name)
        depends_on = [parent.ref for parent in parents]
        self._jobs[step] = FlowJob(step.ref, name, outgoing(queue, data), depends_on, SendOptions(**options))
        self._refs.add(step.ref)
        return step

    def __len__(self) -> int:
        """How many jobs were added."""
        return len(self._jobs)

    def __iter__(self) -> Iterator[FlowJob]:
        """The jobs, in the order they were added."""
        return iter(self._jobs.values())

    @property
    def steps(self) -> Sequence[FlowStep]:
        """What :meth:`add` has returned, in order."""
        return list(self._jobs)

    def _checked(self, ref: str) -> str:
        if filled_text("ref", ref) in self._refs:
            raise _taken(ref)
        return ref

    def _unused(self, name: str) -> str:
        ref, number = name, 1
        while ref in self._refs:
            number += 1
            ref = f"{name}-{number}"
        return ref


class FlowIds(Mapping[str, UUID]):
    """The ids of a flow's jobs, by ref or by the step that :meth:`Flow.add` returned."""

    def __init__(self, ids: Mapping[str, UUID], steps: Iterable[FlowStep] = ()) -> None:
        self._ids = dict(ids)
        self._steps = frozenset(steps)

    def __getitem__(self, key: str | FlowStep) -> UUID:
        if not isinstance(key, FlowStep):
            return self._ids[key]
        if key not in self._steps:
            raise KeyError(key)
        return self._ids[key.ref]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        return f"FlowIds({self._ids!r})"


@dataclass(frozen=True, slots=True)
class DependencyRef:
    """A job on the other side of a dependency.

    Attributes:
        name: its queue's name.
        id: its id.
    """

    name: str
    id: UUID


def flow_jobs(jobs: Flow | Iterable[FlowJob | Mapping[str, Any]]) -> list[FlowJob]:
    """The jobs of a flow, checked by themselves and together, with their data encoded and each parent named once.

    Raises:
        ValidationError: they make no flow; the message says why.
        PayloadError: a job's data does not fit its definition's payload type.
    """
    if isinstance(jobs, str | Mapping) or not isinstance(jobs, Iterable):
        raise ValidationError(f"A flow is a Flow, or a list of FlowJobs, not {jobs!r:.100}.")
    checked = [_checked(FlowJob.of(job)) for job in jobs]
    if len(checked) < FEWEST_JOBS:
        raise ValidationError(f"A flow needs {FEWEST_JOBS} jobs or more, not {len(checked)}.")
    refs = set[str]()
    for job in checked:
        if job.ref in refs:
            raise _taken(job.ref)
        refs.add(job.ref)
    _check_dependencies(checked, refs)
    return checked


def _checked(job: FlowJob) -> FlowJob:
    ref, name = filled_text("ref", job.ref), check_queue_name(job.name)
    parents = job.depends_on
    if isinstance(parents, str) or not isinstance(parents, Iterable):
        raise ValidationError(f"depends_on of job {ref!r} must be a list of refs, not {parents!r:.100}.")
    names = [filled_text(f"depends_on of job {ref!r}", parent) for parent in parents]
    return replace(job, queue=name, data=outgoing(job.queue, job.data), depends_on=tuple(dict.fromkeys(names)))


def _check_dependencies(jobs: Sequence[FlowJob], refs: set[str]) -> None:
    for job in jobs:
        for parent in job.depends_on:
            if parent == job.ref:
                raise ValidationError(f"Job {job.ref!r} of the flow must not depend on itself.")
            if parent not in refs:
                known = ", ".join(repr(other.ref) for other in jobs)
                raise ValidationError(f"Job {job.ref!r} depends on {parent!r}, which is no ref of its flow: {known}.")
    if not any(job.depends_on for job in jobs):
        raise ValidationError("No job of the flow depends on another. Use insert() for jobs that do not wait.")
    try:
        TopologicalSorter({job.ref: job.depends_on for job in jobs}).prepare()
    except CycleError as error:
        raise ValidationError(f"The jobs of the flow wait for one another: {_ring(jobs, error.args[1])}.") from None


def _ring(jobs: Sequence[FlowJob], cycle: Sequence[str]) -> str:
    """The cycle in the order in which its jobs would run, beginning with the one that was named first."""
    ring = cycle[:-1]
    first = min(range(len(ring)), key=lambda index: [job.ref for job in jobs].index(ring[index]))
    return " -> ".join([*ring[first:], *ring[:first], ring[first]])


def _taken(ref: str) -> ValidationError:
    return ValidationError(f"The ref {ref!r} is given to more than one job of the flow.")
