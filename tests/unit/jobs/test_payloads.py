"""Payloads on their way into rows and out of them again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from math import inf, nan
from typing import TYPE_CHECKING, Any, TypedDict
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, Json, ValidationInfo, computed_field, field_validator

from pgboss.core.wire import Unreadable, dumps, loads
from pgboss.errors import ConfigurationError, PayloadError
from pgboss.jobs import JobDefinition, Jobs
from pgboss.jobs.codec import PayloadCodec
from unit.jobs.samples import DOCUMENT, Document, DocumentPart, DocumentRow

if TYPE_CHECKING:
    from decimal import Decimal


def declared(payload: Any) -> JobDefinition[Any, Any]:
    return Jobs().declare("document-parse", payload)


def stored(definition: JobDefinition[Any, Any], payload: object) -> Any:
    """What the row holds once the payload was sent."""
    return loads(dumps(definition.encode(payload)))


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)

    at: datetime
    took: timedelta
    document: UUID
    pages: tuple[int, ...]


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


class Colour(Enum):
    RED = "red"


class TestEveryKindOfType:
    @pytest.mark.parametrize(
        ("payload_type", "payload", "row"),
        [
            (
                Document,
                Document(document_id=DOCUMENT, file_path="a.pdf"),
                {"documentId": str(DOCUMENT), "filePath": "a.pdf", "pages": 1, "uploadedOn": None},
            ),
            (DocumentPart, DocumentPart(DOCUMENT, [1, 2]), {"document_id": str(DOCUMENT), "chapters": [1, 2]}),
            (DocumentRow, DocumentRow(document_id=DOCUMENT), {"document_id": str(DOCUMENT)}),
            (
                list[Tree],
                [Tree(name="a", children=[Tree(name="b")])],
                [{"name": "a", "children": [{"name": "b", "children": []}]}],
            ),
            (dict[str, Any], {"snake_case": [1, None, {"x": 1.5}]}, {"snake_case": [1, None, {"x": 1.5}]}),
            (list[int], [1, 2], [1, 2]),
            (set[int], {1}, [1]),
            (tuple[int, str], (1, "a"), [1, "a"]),
            (str, "text", "text"),
            (int, 5, 5),
            (float, 1.5, 1.5),
            (bool, True, True),
            (datetime, datetime(2030, 1, 2, tzinfo=UTC), "2030-01-02T00:00:00Z"),
            (timedelta, timedelta(hours=1), "PT1H"),
            (Colour, Colour.RED, "red"),
            (int | None, None, None),
            (Document | str, "by name", "by name"),
            (None, None, None),
            (
                Strict,
                Strict(at=datetime(2030, 1, 2, tzinfo=UTC), took=timedelta(1), document=DOCUMENT, pages=(1,)),
                {"at": "2030-01-02T00:00:00Z", "took": "P1D", "document": str(DOCUMENT), "pages": [1]},
            ),
        ],
    )
    def test_what_is_sent_comes_back(self, payload_type: Any, payload: object, row: object) -> None:
        definition = declared(payload_type)
        assert stored(definition, payload) == row
        assert definition.decode(row) == payload

    @pytest.mark.parametrize(
        ("payload_type", "mapping", "payload"),
        [
            (Document, {"document_id": DOCUMENT, "file_path": "a"}, Document(document_id=DOCUMENT, file_path="a")),
            (Document, {"documentId": str(DOCUMENT), "filePath": "a"}, Document(document_id=DOCUMENT, file_path="a")),
            (DocumentPart, {"document_id": str(DOCUMENT)}, DocumentPart(DOCUMENT)),
            (DocumentRow, {"document_id": str(DOCUMENT), "title": "t"}, {"document_id": DOCUMENT, "title": "t"}),
        ],
    )
    def test_a_mapping_is_as_good_as_an_instance(self, payload_type: Any, mapping: object, payload: object) -> None:
        definition = declared(payload_type)
        assert definition.decode(stored(definition, mapping)) == payload

    @pytest.mark.parametrize("payload_type", [Any, object])
    @pytest.mark.parametrize("payload", [None, 5, "x", [1], {"a": {"B_c": None}}])
    def test_plain_json_passes_untouched(self, payload_type: Any, payload: object) -> None:
        definition = declared(payload_type)
        assert definition.encode(payload) is payload
        assert definition.decode(payload) is payload

    def test_more_than_the_type_knows_is_left_out(self) -> None:
        assert declared(DocumentPart).decode({"document_id": str(DOCUMENT), "added": "later"}) == DocumentPart(DOCUMENT)

    def test_no_payload_is_null_and_an_empty_object_passes_for_it(self) -> None:
        definition = declared(None)
        assert stored(definition, {}) is None
        assert definition.decode(None) is None
        assert definition.decode({}) is None
        for something in (0, "", {"a": 1}, False):
            with pytest.raises(PayloadError, match=r"document-parse: input should be (null|None)"):
                definition.decode(something)


class TestWhatDoesNotFit:
    @pytest.mark.parametrize(
        ("payload", "complaint"),
        [
            ({}, r"documentId: field required \(got an empty object\); filePath: field required"),
            (
                {"documentId": str(DOCUMENT)},
                r"filePath: field required \(got an object with documentId\)",
            ),
            (
                {"documentId": str(DOCUMENT), "filePath": "a", "pages": 0},
                r"pages: input should be greater than or equal to 1 \(got 0\)",
            ),
            (
                {"documentId": str(DOCUMENT), "filePath": None},
                r"filePath: input should be a valid string \(got null\)",
            ),
            (
                {"documentId": str(DOCUMENT), "filePath": ["a", "b"]},
                r"filePath: input should be a valid string \(got a list of 2\)",
            ),
            ([], r"input should be .*\(got a list of 0\)"),
            ("text", r"input should be .*\(got 'text'\)"),
        ],
    )
    def test_both_ways_the_message_names_job_field_and_value(self, payload: Any, complaint: str) -> None:
        definition = declared(Document)
        for way in (definition.encode, definition.decode):
            with pytest.raises(PayloadError, match=f"^document-parse: {complaint}") as caught:
                way(payload)
            assert "pydantic" not in str(caught.value)
            assert "\n" not in str(caught.value)
            assert caught.value.__suppress_context__

    def test_a_place_deep_within_is_told(self) -> None:
        with pytest.raises(PayloadError, match=r"\[1\]\.children\[0\]\.name: field required"):
            declared(list[Tree]).decode([{"name": "a"}, {"name": "b", "children": [{}]}])

    def test_a_row_without_data_is_told(self) -> None:
        with pytest.raises(PayloadError, match=r"^document-parse: the job carries no data: .*\(got null\)\.$"):
            declared(Document).decode(None)

    def test_nothing_cannot_be_sent_where_something_is_needed(self) -> None:
        with pytest.raises(PayloadError, match=r"^document-parse: input should be"):
            declared(Document).encode(None)

    def test_an_instance_of_another_type_is_refused(self) -> None:
        with pytest.raises(PayloadError, match="instance of Document "):
            declared(Document).encode(Tree(name="a"))

    def test_values_are_shortened(self) -> None:
        with pytest.raises(PayloadError) as caught:
            declared(int).decode("x" * 100_000)
        assert len(str(caught.value)) < 250

    def test_the_keys_of_a_large_object_are_counted(self) -> None:
        with pytest.raises(PayloadError, match=r"k7 and 92 more\)"):
            declared(Document).decode({f"k{number}": 1 for number in range(100)})

    def test_a_key_that_is_no_word_is_quoted(self) -> None:
        with pytest.raises(PayloadError, match=r"an object with 'two words'"):
            declared(Document).decode({"two words": 1})

    def test_many_problems_are_counted(self) -> None:
        with pytest.raises(PayloadError, match=r"\[9\]: [^;]*; and 90 more\.$"):
            declared(list[int]).decode(["x"] * 100)

    def test_an_instance_that_was_changed_is_checked_as_it_is_now(self) -> None:
        document = Document(document_id=DOCUMENT, file_path="a")
        document.pages = 0
        with pytest.raises(PayloadError, match="pages: input should be greater than or equal to 1"):
            declared(Document).encode(document)

    def test_a_dataclass_that_lied_about_its_fields_is_refused(self) -> None:
        part = DocumentPart("no uuid")  # type: ignore[arg-type]  # what an unchecked program would do
        with pytest.raises(PayloadError, match="document_id: input should be a valid UUID"):
            declared(DocumentPart).encode(part)

    def test_strict_types_are_strict_with_instances_and_read_json_as_json(self) -> None:
        with pytest.raises(PayloadError, match="pages: input should be a valid tuple"):
            declared(Strict).encode({"at": datetime.now(UTC), "took": timedelta(), "document": DOCUMENT, "pages": [1]})


class TestWhatCannotBeStored:
    @pytest.mark.parametrize(
        ("payload_type", "payload", "complaint"),
        [
            (float, nan, "NaN and Infinity"),
            (dict[str, Any], {"a": [nan]}, "NaN and Infinity"),
            (dict[str, Any], {"a": inf}, "NaN and Infinity"),
            (dict[str, Any], {"a": "\x00"}, "U\\+0000"),
            (dict[str, Any], {"\x00": "a"}, "U\\+0000"),
            (dict[str, Any], {"a": "\ud800"}, "lone surrogate"),
            (dict[str, Any], {"\ud800": "a"}, "lone surrogate"),
            (dict[str, Any], {"a": object()}, "object"),
            (dict[str, Any], {"a": lambda: 1}, "function"),
        ],
    )
    def test_it_is_refused_when_it_is_sent(self, payload_type: Any, payload: object, complaint: str) -> None:
        with pytest.raises(PayloadError, match=f"payload of document-parse .*{complaint}"):
            declared(payload_type).encode(payload)

    def test_a_cycle_is_refused(self) -> None:
        cycle: dict[str, Any] = {}
        cycle["again"] = cycle
        with pytest.raises(PayloadError, match=r"payload of document-parse .*refers to itself"):
            declared(dict[str, Any]).encode(cycle)

    def test_what_is_nested_too_deeply_is_refused(self) -> None:
        deep: dict[str, Any] = {}
        for _ in range(1000):
            deep = {"in": deep}
        with pytest.raises(PayloadError, match="document-parse"):
            declared(dict[str, Any]).encode(deep)

    @pytest.mark.parametrize("payload_type", [Document, Any, None])
    def test_a_row_that_python_cannot_read_is_refused(self, payload_type: Any) -> None:
        with pytest.raises(PayloadError, match="document-parse: Python cannot read the data of this job: too deep"):
            declared(payload_type).decode(Unreadable("too deep"))


class Derived(BaseModel):
    model_config = ConfigDict(extra="forbid")

    width: int
    options: Json[dict[str, int]] = Field(default_factory=dict)

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorators upon properties
    @property
    def area(self) -> int:
        return self.width * self.width


class OneWay(BaseModel):
    path: str = Field(validation_alias="readAs", serialization_alias="writtenAs")


class Picky(BaseModel):
    file_type: str

    @field_validator("file_type")
    @classmethod
    def known(cls, value: str, info: ValidationInfo) -> str:
        if value == "raise":
            raise LookupError("the list of types is gone")
        if value != "pdf":
            raise ValueError("must be pdf")
        return value


class TestPydanticsFinerPoints:
    def test_derived_fields_stay_out_and_json_within_json_stays_text(self) -> None:
        definition = declared(Derived)
        payload = Derived(width=2, options='{"a": 1}')
        assert stored(definition, payload) == {"width": 2, "options": '{"a":1}'}
        assert definition.decode(stored(definition, payload)) == payload

    def test_a_model_that_cannot_read_what_it_writes_is_refused_when_it_is_sent(self) -> None:
        with pytest.raises(PayloadError, match=r"readAs: field required \(got an object with writtenAs\)"):
            declared(OneWay).encode(OneWay(readAs="a"))

    def test_what_a_validator_says_is_told_without_ceremony(self) -> None:
        with pytest.raises(PayloadError, match=r"^document-parse: file_type: must be pdf \(got 'doc'\)\.$"):
            declared(Picky).decode({"file_type": "doc"})

    def test_a_validator_that_breaks_is_not_taken_for_a_bad_row(self) -> None:
        with pytest.raises(LookupError, match="gone"):
            declared(Picky).decode({"file_type": "raise"})


@Jobs().job("late")
def late(payload: DefinedLater) -> None: ...


def complaint_of(prepare: Callable[[], None]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        prepare()
    return str(caught.value)


TOO_EARLY = complaint_of(late.prepare)


class DefinedLater(BaseModel):
    a: int


class PlainTypedDict(TypedDict):
    a: int


class NoSchema:
    pass


class TestTypesThatAreFoundLate:
    def test_a_name_defined_later_is_unknown_at_first(self) -> None:
        assert "late: the payload's type is not known: name 'DefinedLater' is not defined" in TOO_EARLY

    def test_a_name_defined_later_is_found_at_first_use(self) -> None:
        assert late.decode({"a": 1}) == DefinedLater(a=1)
        with pytest.raises(PayloadError, match="late: a: field required"):
            late.decode({})

    def test_a_name_within_a_function_is_found(self) -> None:
        class Local(BaseModel):
            a: int

        jobs = Jobs()

        @jobs.job("local")
        def local(payload: Local) -> None: ...

        assert local.decode({"a": 1}) == Local(a=1)

    def test_a_name_for_type_checkers_only_is_told(self) -> None:
        jobs = Jobs()

        @jobs.job("checked")
        def checked(payload: Decimal) -> None: ...

        with pytest.raises(ConfigurationError, match=r"name 'Decimal' is not defined.*TYPE_CHECKING"):
            checked.encode(1)  # type: ignore[arg-type]  # never gets as far as the type

    def test_a_model_whose_field_is_defined_later_waits_too(self) -> None:
        class Outer(BaseModel):
            inner: Inner

        definition = declared(Outer)
        with pytest.raises(ConfigurationError, match="Inner"):
            definition.prepare()

        class Inner(BaseModel):
            a: int

        Outer.model_rebuild()
        assert definition.decode({"inner": {"a": 1}}) == Outer(inner=Inner(a=1))

    def test_a_type_pydantic_cannot_handle_is_refused_when_it_is_declared(self) -> None:
        with pytest.raises(ConfigurationError, match=r"pydantic cannot handle the payload's type: .*NoS"):
            declared(NoSchema)
        with pytest.raises(ConfigurationError, match="document-parse: pydantic cannot handle the payload's type"):
            declared(5)

    @pytest.mark.skipif(sys.version_info >= (3, 12), reason="pydantic reads typing.TypedDict from Python 3.12 on")
    def test_a_typed_dict_that_this_python_cannot_check_says_which_one_to_use(self) -> None:
        with pytest.raises(ConfigurationError, match=r"typing_extensions\.TypedDict"):
            declared(PlainTypedDict)


def test_the_type_is_looked_up_once() -> None:
    lookups = []

    def find_type() -> Any:
        lookups.append("lookup")
        return Tree

    codec = PayloadCodec[Tree]("tree", find_type)
    for _ in range(2):
        codec.prepare()
        assert codec.decode(codec.encode(Tree(name="a"))) == Tree(name="a")
    assert lookups == ["lookup"]
