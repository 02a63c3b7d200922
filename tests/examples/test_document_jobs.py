"""Payloads as they lie in the rows, and how light it is to send them."""

from __future__ import annotations

import subprocess
import sys
from uuid import UUID

import pytest
from pydantic import ValidationError

from document_pipeline import jobs
from document_pipeline.jobs import DocumentParse
from document_pipeline.settings import EXAMPLES

ID = UUID("00000000-0000-4000-8000-000000000001")
PARSE = {
    "document_id": str(ID),
    "deal_id": str(ID),
    "user_id": str(ID),
    "file_path": "a.pdf",
    "file_type": "pdf",
}


def test_payloads_are_snake_case_json() -> None:
    payload = DocumentParse(document_id=ID, deal_id=ID, user_id=ID, file_path="a.pdf", file_type="pdf")

    assert payload.model_dump(mode="json") == PARSE
    assert jobs.TestJob().model_dump(mode="json") == {"message": "hello", "should_fail": False, "delay_ms": 0}


def test_fields_of_other_programs_are_passed_over() -> None:
    assert DocumentParse.model_validate({**PARSE, "trace": "x"}).file_path == "a.pdf"


@pytest.mark.parametrize("wrong", [{"file_type": "exe"}, {"user_id": "me"}, {"file_path": ""}, {"document_id": None}])
def test_wrong_payloads_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        DocumentParse.model_validate({**PARSE, **wrong})


def test_sending_loads_nothing_heavy() -> None:
    program = """
import sys
import document_pipeline.enqueue, document_pipeline.storage
print(sorted({"docling", "openai", "yake", "wordllama", "ladybug", "neo4j"} & sys.modules.keys()))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(EXAMPLES)}, capture_output=True, text=True, check=True
    )

    assert ran.stdout == "[]\n"
