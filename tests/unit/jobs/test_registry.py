"""Registries: filling, asking and putting them together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pgboss.core.names import SEND_IT_QUEUE
from pgboss.errors import ConfigurationError, PayloadError, ValidationError
from pgboss.jobs import JobDefinition, Jobs, collect
from unit.jobs.samples import DOCUMENT, Document


def work(payload: Any) -> None: ...


def registry(*names: str) -> Jobs:
    jobs = Jobs()
    for name in names:
        jobs.job(name)(work)
    return jobs


class TestARegistry:
    def test_it_gives_its_definitions_by_name_and_in_order(self) -> None:
        jobs = registry("b", "a")
        assert [definition.name for definition in jobs] == ["b", "a"]
        assert jobs["a"].name == "a"
        assert len(jobs) == 2
        assert "a" in jobs
        assert "c" not in jobs
        assert repr(jobs) == "<Jobs: b, a>"

    def test_an_unknown_name_is_a_key_error(self) -> None:
        with pytest.raises(KeyError, match="nowhere"):
            registry("a")["nowhere"]

    def test_an_empty_one_says_so(self) -> None:
        assert repr(Jobs()) == "<Jobs: none yet>"
        assert list(Jobs()) == []

    def test_the_decorator_registers_what_it_returns(self) -> None:
        jobs = Jobs()
        definition = jobs.job("a")(work)
        assert jobs["a"] is definition

    def test_one_function_may_work_several_jobs(self) -> None:
        assert {definition.handler for definition in registry("a", "b")} == {work}


Define = Callable[[Jobs, str], object]


def by_decorator(jobs: Jobs, name: str) -> object:
    return jobs.job(name)(work)


def by_declaration(jobs: Jobs, name: str) -> object:
    return jobs.declare(name, Document)


def by_adding(jobs: Jobs, name: str) -> object:
    return jobs.add(registry(name)[name])


@pytest.mark.parametrize("define", [by_decorator, by_declaration, by_adding])
class TestNames:
    def test_a_name_is_taken_once(self, define: Define) -> None:
        jobs = registry("a")
        with pytest.raises(ConfigurationError, match=r"two definitions of the job a; .* by .*test_registry\.work"):
            define(jobs, "a")
        assert jobs["a"].handler is work

    def test_that_holds_for_declared_ones_too(self, define: Define) -> None:
        jobs = Jobs()
        jobs.declare("a")
        with pytest.raises(ConfigurationError, match="two definitions of the job a; the first one is declared"):
            define(jobs, "a")


@pytest.mark.parametrize("define", [by_decorator, by_declaration])
class TestBadNames:
    @pytest.mark.parametrize("name", ["", "not a name", "ä", "a\n"])
    def test_a_name_is_a_queue_name(self, define: Define, name: str) -> None:
        with pytest.raises(ValidationError, match="job name"):
            define(Jobs(), name)

    def test_a_name_is_a_string(self, define: Define) -> None:
        with pytest.raises(ValidationError, match="job name must be a string, not int: 5"):
            define(Jobs(), 5)  # type: ignore[arg-type]  # what is tested

    def test_the_queue_of_the_schedules_is_not_for_jobs(self, define: Define) -> None:
        with pytest.raises(ConfigurationError, match="delivers schedules"):
            define(Jobs(), SEND_IT_QUEUE)

    def test_a_forgotten_name_is_noticed(self, define: Define) -> None:
        with pytest.raises(ConfigurationError, match=r"The job has no name\. Write @jobs\.job\(\"its-name\"\)"):
            define(Jobs(), work)  # type: ignore[arg-type]  # @jobs.job without its brackets


@pytest.mark.parametrize("how", ["job", "declare"])
class TestOptions:
    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            ({"retry_limit": -1}, "retry_limit must be an integer of 0 or more, not -1"),
            ({"retry_limit": True}, "retry_limit"),
            ({"expire_in_seconds": 86401}, "expire_in_seconds"),
            ({"policy": "fifo"}, "policy must be one of"),
            ({"retry_delay_max": 5}, "needs retry_backoff=True"),
            ({"dead_letter": "document-parse"}, "dead_letter must be another queue"),
            ({"dead_letter": "not a name"}, "dead_letter"),
        ],
    )
    def test_an_option_out_of_range_is_refused_before_anything_is_defined(
        self, how: str, options: dict[str, Any], complaint: str
    ) -> None:
        jobs = Jobs()
        with pytest.raises(ValidationError, match=f"^document-parse: .*{complaint}"):
            getattr(jobs, how)("document-parse", **options)
        assert len(jobs) == 0

    @pytest.mark.parametrize(
        ("option", "hint"),
        [
            ("retries_limit", "Did you mean retry_limit?"),
            ("retryLimit", "Did you mean retry_limit?"),
            ("expire_seconds", "Did you mean expire_in_seconds?"),
            ("zzz", "no option zzz."),
        ],
    )
    def test_an_unknown_option_is_refused_with_the_nearest(self, how: str, option: str, hint: str) -> None:
        with pytest.raises(ConfigurationError, match=f"document-parse: there is no option {option}") as caught:
            getattr(Jobs(), how)("document-parse", **{option: 1})
        assert str(caught.value).endswith(hint)


@pytest.mark.parametrize("concurrency", [1, 10_000])
def test_concurrency_within_its_range(concurrency: int) -> None:
    assert Jobs().job("a", concurrency=concurrency)(work).concurrency == concurrency


@pytest.mark.parametrize("concurrency", [0, -1, 10_001, True, 1.5, "2"])
def test_concurrency_out_of_its_range(concurrency: Any) -> None:
    with pytest.raises(ValidationError, match="a: concurrency must be an integer from 1 to 10000"):
        Jobs().job("a", concurrency=concurrency)(work)


class TestDeclaring:
    def test_a_declared_job_is_checked_like_any_other(self) -> None:
        definition = Jobs().declare("elsewhere", Document, retry_limit=5, dead_letter="failed")
        assert definition.handler is None
        assert definition.queue_options.given() == {"retry_limit": 5, "dead_letter": "failed"}
        assert definition.encode(Document(document_id=DOCUMENT, file_path="a"))["filePath"] == "a"
        with pytest.raises(PayloadError, match="elsewhere: documentId: field required"):
            definition.encode({})  # type: ignore[arg-type]  # what is tested

    def test_without_a_type_it_is_plain_json(self) -> None:
        assert Jobs().declare("elsewhere").encode([1, "x"]) == [1, "x"]

    def test_without_a_payload_there_is_none(self) -> None:
        with pytest.raises(PayloadError, match="elsewhere: "):
            Jobs().declare("elsewhere", None).encode(5)  # type: ignore[arg-type]  # what is tested


class TestPuttingTogether:
    def test_registries_are_merged_in_order(self) -> None:
        merged = Jobs.merge(registry("b"), registry("a", "c"))
        assert [definition.name for definition in merged] == ["b", "a", "c"]

    def test_merging_copies(self) -> None:
        first = registry("a")
        merged = Jobs.merge(first)
        first.job("later")(work)
        assert "later" not in merged

    def test_collecting_gives_definitions_by_name(self) -> None:
        first, second = registry("a"), registry("b")
        assert collect([first, second]) == {"a": first["a"], "b": second["b"]}
        assert collect(first) == {"a": first["a"]}
        assert collect([]) == {}

    @pytest.mark.parametrize("together", [Jobs.merge, lambda *jobs: collect(jobs)])
    def test_two_definitions_of_one_name_are_refused(self, together: Callable[..., object]) -> None:
        with pytest.raises(ConfigurationError, match="two definitions of the job a"):
            together(registry("a"), registry("a"))

    def test_the_same_definition_by_two_ways_is_one(self) -> None:
        jobs = registry("a")
        assert list(collect([jobs, jobs, Jobs.merge(jobs)])) == ["a"]
        assert len(Jobs.merge(jobs, jobs)) == 1

    def test_collecting_notices_a_payload_type_that_is_not_known(self) -> None:
        jobs = Jobs()

        @jobs.job("a")
        def handler(payload: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821

        with pytest.raises(ConfigurationError, match="a: the payload's type is not known: name 'Missing'"):
            collect([jobs])

    @pytest.mark.parametrize("wrong", [[work], ["myapp.jobs"], [None]])
    def test_only_registries_are_collected(self, wrong: Any) -> None:
        with pytest.raises(ConfigurationError, match="Expected a Jobs registry, not"):
            collect(wrong)

    def test_a_definition_in_place_of_a_registry_is_told(self) -> None:
        definition: JobDefinition[Any, Any] = registry("a")["a"]
        with pytest.raises(ConfigurationError, match="Expected a Jobs registry, not HandledJob"):
            collect([definition])  # type: ignore[list-item]  # what is tested
