"""Flows before they are sent: what is refused and why, and how ``Flow`` grows one from typed jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from typing import Any, assert_type
from uuid import UUID, uuid4

import pytest

from pgboss import Flow, FlowIds, FlowJob, FlowStep, Jobs, PayloadError, SendOptions, ValidationError
from pgboss.core.flow import flow_jobs
from unit.jobs.samples import DOCUMENT, Document, DocumentPart

jobs = Jobs()
parse = jobs.declare("parse", Document)
embed = jobs.declare("embed", DocumentPart)
tidy = jobs.declare("tidy", None)

DOC = Document(document_id=DOCUMENT, file_path="a.pdf")
PART = DocumentPart(DOCUMENT, [1])


def job(ref: str, *depends_on: str, queue: str = "q") -> FlowJob:
    return FlowJob(ref, queue, depends_on=depends_on)


REFUSED: dict[str, tuple[Any, str]] = {
    "no list": (5, "A flow is a Flow, or a list of FlowJobs, not 5"),
    "a text": ("a", "A flow is a Flow, or a list"),
    "one mapping": ({"ref": "a", "name": "q"}, "A flow is a Flow, or a list"),
    "no job": ([], "2 jobs or more, not 0"),
    "one job": ([job("a")], "2 jobs or more, not 1"),
    "no job at all": ([job("a"), 7], "must be a FlowJob or a mapping, not 7"),
    "empty ref": ([job(""), job("b", "a")], "ref must not be empty"),
    "ref no text": ([{"ref": 1, "name": "q"}, job("b")], "ref must be a string, not 1"),
    "ref missing": ([{"name": "q"}, job("b")], "needs a ref"),
    "name missing": ([{"ref": "a"}, job("b")], "needs a name"),
    "ref twice": ([job("a"), job("b", "a"), job("a")], "The ref 'a' is given to more than one job"),
    "empty name": ([job("a", queue=""), job("b", "a")], "queue name is empty"),
    "bad name": ([job("a", queue="no queue"), job("b", "a")], "'no queue' may hold only letters"),
    "queue no text": ([{"ref": "a", "name": 5}, job("b", "a")], "A queue name or a job definition is needed, not 5"),
    "unknown key": ([{"ref": "a", "name": "q", "dependsOn": []}, job("b")], "and not dependsOn"),
    "unknown option": (
        [{"ref": "a", "name": "q", "options": {"retryLimit": 3}}, job("b")],
        "Unknown options of job 'a' of the flow: retryLimit",
    ),
    "options no mapping": ([{"ref": "a", "name": "q", "options": 3}, job("b")], "options of job 'a' must be"),
    "option out of range": (
        [{"ref": "a", "name": "q", "options": {"retry_limit": -1}}, job("b", "a")],
        "retry_limit must be an integer of 0 or more, not -1",
    ),
    "no dependency": ([job("a"), job("b")], "No job of the flow depends on another"),
    "depends_on a text": ([job("a"), FlowJob("b", "q", depends_on="a")], "must be a list of refs, not 'a'"),
    "depends_on no list": ([job("a"), {"ref": "b", "name": "q", "depends_on": 5}], "must be a list of refs, not 5"),
    "empty dependency": ([job("a"), job("b", "")], "depends_on of job 'b' must not be empty"),
    "dependency no text": (
        [job("a"), {"ref": "b", "name": "q", "depends_on": [1]}],
        "depends_on of job 'b' must be a string, not 1",
    ),
    "unknown dependency": ([job("a"), job("b", "c")], "'b' depends on 'c', which is no ref of its flow: 'a', 'b'"),
    "itself": ([job("a"), job("b", "b")], "'b' of the flow must not depend on itself"),
    "ring of two": ([job("a", "b"), job("b", "a")], "wait for one another: a -> b -> a"),
    "ring behind others": (
        [job("start"), job("c", "b"), job("a", "c", "start"), job("b", "a")],
        "wait for one another: c -> a -> b -> c",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_makes_no_flow_is_refused(what: str) -> None:
    given, message = REFUSED[what]
    with pytest.raises(ValidationError, match=message):
        flow_jobs(given)


def test_a_mapping_says_the_same_as_a_flow_job() -> None:
    id = uuid4()
    mapping: Mapping[str, Any] = {
        "ref": "b",
        "name": "q",
        "data": {"camelCase": 1},
        "depends_on": ["a"],
        "options": {"priority": 5, "id": str(id)},
    }
    said = FlowJob("b", "q", {"camelCase": 1}, ["a"], SendOptions(priority=5, id=id))
    assert flow_jobs([job("a"), mapping]) == flow_jobs([job("a"), said])
    assert flow_jobs([{"ref": "a", "name": "q", "depends_on": None, "options": None}, said])[0] == job("a")


def test_any_iterable_will_do_and_a_parent_named_twice_counts_once() -> None:
    checked = flow_jobs(part for part in (job("a"), job("b", "a", "a")))
    assert [part.depends_on for part in checked] == [(), ("a",)]


def test_a_definition_encodes_the_data_of_its_job() -> None:
    [parsed, embedded] = flow_jobs([FlowJob("a", parse, DOC), FlowJob("b", embed, PART, ["a"])])
    assert (parsed.queue, parsed.data) == ("parse", parse.encode(DOC))
    assert (embedded.queue, embedded.data) == ("embed", embed.encode(PART))
    with pytest.raises(PayloadError, match="parse"):
        flow_jobs([FlowJob("a", parse, {"pages": "many"}), FlowJob("b", embed, PART, ["a"])])


def test_a_flow_grows_by_what_comes_after_what() -> None:
    flow = Flow()
    parsed = flow.add(parse, DOC, priority=5)
    first = flow.add(embed, PART, after=parsed)
    second = flow.add(embed, PART, after=[parsed], retry_limit=1)
    last = flow.add("legacy", {"any": "json"}, after=(first, second), ref="the end")
    assert len(flow) == 4
    assert list(flow.steps) == [parsed, first, second, last]
    assert flow_jobs(flow) == [
        FlowJob("parse", "parse", parse.encode(DOC), (), SendOptions(priority=5)),
        FlowJob("embed", "embed", embed.encode(PART), ("parse",)),
        FlowJob("embed-2", "embed", embed.encode(PART), ("parse",), SendOptions(retry_limit=1)),
        FlowJob("the end", "legacy", {"any": "json"}, ("embed", "embed-2")),
    ]


def test_refs_made_from_names_pass_over_refs_that_are_taken() -> None:
    flow = Flow()
    flow.add("q", ref="q-2")
    assert [flow.add("q").ref for _ in range(3)] == ["q", "q-3", "q-4"]
    with pytest.raises(ValidationError, match="The ref 'q' is given to more than one job"):
        flow.add("q", ref="q")


def test_a_step_belongs_to_its_flow() -> None:
    stranger = Flow().add("q")
    flow = Flow()
    with pytest.raises(ValidationError, match="after takes what add"):
        flow.add("q", after=stranger)
    with pytest.raises(ValidationError, match="after takes what add"):
        flow.add("q", after=["q"])  # type: ignore[list-item]  # a ref is no step
    with pytest.raises(ValidationError, match="after takes what add"):
        flow.add("q", after=5)  # type: ignore[call-overload]
    with pytest.raises(FrozenInstanceError):
        stranger.ref = "r"  # type: ignore[misc]


def test_add_checks_at_once() -> None:
    flow = Flow()
    with pytest.raises(PayloadError):
        flow.add(parse, {"pages": "many"})  # type: ignore[misc]  # another payload
    with pytest.raises(ValidationError, match="priority must be an integer"):
        flow.add("q", priority=1.5)  # type: ignore[call-overload]
    with pytest.raises(ValidationError, match="queue name is empty"):
        flow.add("")
    with pytest.raises(ValidationError, match="ref must not be empty"):
        flow.add("q", ref="")
    assert len(flow) == 0


def test_ids_are_found_by_ref_and_by_step() -> None:
    flow = Flow()
    step = flow.add("q")
    id = uuid4()
    ids = FlowIds({"q": id}, flow.steps)
    assert ids["q"] == ids[step] == id
    assert ids == {"q": id}
    assert (list(ids), len(ids), "q" in ids, "r" in ids) == (["q"], 1, True, False)
    stranger = Flow().add("q")
    with pytest.raises(KeyError):
        ids[stranger]
    assert repr(ids) == f"FlowIds({{'q': {id!r}}})"


def static_only(flow: Flow, ids: FlowIds) -> None:
    """Never called: mypy reads it, and reports every ignore that is not needed."""
    step = assert_type(flow.add(parse, DOC), FlowStep)
    assert_type(flow.add(tidy), FlowStep)
    assert_type(ids[step], UUID)
    flow.add(embed, DOC)  # type: ignore[misc]  # another payload
    flow.add(parse)  # type: ignore[arg-type]  # no payload
    flow.add(tidy, DOC)  # type: ignore[misc]  # takes none
    flow.add(parse, DOC, retries=3)  # type: ignore[call-overload]  # no such option
    flow.add(parse, DOC, after="parse")  # type: ignore[arg-type]  # a ref is no step
