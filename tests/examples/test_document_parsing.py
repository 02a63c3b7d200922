"""Real files of every format become passages; damaged ones become readable errors."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from document_pipeline.chunking import PASSAGE_CHARACTERS
from document_pipeline.jobs import FileType
from document_pipeline.parsing import UnreadableDocumentError, parse_file
from document_pipeline.passages import ParsedDocument

DOCUMENTS = [
    ("pgbackrest-faq.docx", "pgBackRest Frequently Asked Questions", "A full backup set can be expired"),
    ("postgresql-transaction-isolation.docx", "13.2.\xa0Transaction Isolation", "| Read uncommitted | Allowed"),
    ("patroni-replication-modes.html", "Replication modes", "the cluster is allowed to lose some committed"),
    ("postgresql-sql-notify.html", "NOTIFY", "sends a notification event"),
    ("postgresql-wal-reliability.html", "30.1. Reliability", "battery-backed"),
    ("pgbouncer-readme.md", "PgBouncer", "GNU Make 3.81+"),
    ("postgresql-replication-solutions.md", "27.1. Comparison of Different Solutions", "DRBD"),
    ("postgresql-continuous-archiving.pdf", "26.3. Continuous Archiving", "archive_command"),
    ("postgresql-explicit-locking.pdf", "13.3. Explicit Locking", "pg_advisory_lock(id)"),
    ("patroni-failsafe-mode.pptx", "DCS Failsafe Mode", "leader lock in DCS"),
    ("postgresql-routine-vacuuming.pptx", "Routine Vacuuming", "autovacuum daemon"),
    ("postgresql-error-codes.xlsx", "postgresql error codes", "| 40P01 | deadlock_detected |"),
    ("postgresql-limits-and-waits.xlsx", "postgresql limits and waits", "| database size | unlimited |"),
]


def read(path: Path) -> ParsedDocument:
    return parse_file(path, cast("FileType", path.suffix[1:]))


@pytest.mark.parametrize(("file", "title", "phrase"), DOCUMENTS)
def test_every_document_of_the_demo_is_read(documents: Path, file: str, title: str, phrase: str) -> None:
    parsed = read(documents / file)

    assert parsed.title.startswith(title)
    assert any(phrase in passage.text for passage in parsed.passages)
    assert all(0 < len(passage.context_text) <= PASSAGE_CHARACTERS for passage in parsed.passages)


def test_the_demo_has_documents_of_all_formats_and_all_are_tested(documents: Path) -> None:
    there = {
        path.name for path in documents.iterdir() if path.name != "SOURCES.md" and not path.name.startswith("broken-")
    }

    assert {row[0] for row in DOCUMENTS} == there
    assert len(there) >= 12
    assert {Path(name).suffix for name in there} == {".docx", ".html", ".md", ".pdf", ".pptx", ".xlsx"}


def test_sources_of_all_documents_are_named(documents: Path) -> None:
    sources = (documents / "SOURCES.md").read_text()

    assert [path.name for path in documents.iterdir() if path.name not in sources and path.name != "SOURCES.md"] == []


def test_headings_stand_above_their_passages(documents: Path) -> None:
    parsed = read(documents / "patroni-replication-modes.html")

    [passage] = [passage for passage in parsed.passages if "allowed to lose some" in passage.text]
    assert passage.headings == ("Replication modes", "Asynchronous mode durability")
    assert passage.context_text.startswith("Replication modes\nAsynchronous mode durability\nIn asynchronous mode")


@pytest.mark.parametrize(
    ("file", "last"),
    [
        ("postgresql-explicit-locking.pdf", 6),
        ("patroni-failsafe-mode.pptx", 8),
        ("postgresql-limits-and-waits.xlsx", 6),
    ],
)
def test_pages_slides_and_sheets_are_known(documents: Path, file: str, last: int) -> None:
    pages = [passage.page for passage in read(documents / file).passages]

    assert None not in pages
    assert (min(page or 0 for page in pages), max(page or 0 for page in pages)) == (1, last)
    assert pages == sorted(page or 0 for page in pages)


def test_a_long_table_repeats_its_header(documents: Path) -> None:
    parsed = read(documents / "postgresql-error-codes.xlsx")

    assert len(parsed.passages) > 10
    assert all(passage.text.startswith("| Class | Error Code | Condition Name |") for passage in parsed.passages)


def test_reading_twice_gives_the_same(documents: Path) -> None:
    file = documents / "pgbouncer-readme.md"

    assert read(file) == read(file)


def test_the_broken_document_says_why(documents: Path) -> None:
    with pytest.raises(UnreadableDocumentError) as raised:
        read(documents / "broken-truncated-upload.docx")

    assert str(raised.value) == "broken-truncated-upload.docx cannot be read as docx: File is not a zip file"


@pytest.mark.parametrize("suffix", ["docx", "pdf", "pptx", "xlsx"])
def test_half_a_file_is_unreadable(documents: Path, tmp_path: Path, suffix: str) -> None:
    whole = next(path for path in sorted(documents.glob(f"*.{suffix}")) if not path.name.startswith("broken-"))
    half = tmp_path / whole.name
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

    with pytest.raises(UnreadableDocumentError, match=f"cannot be read as {suffix}: "):
        read(half)


@pytest.mark.parametrize("suffix", ["docx", "pdf", "pptx", "xlsx"])
def test_a_file_of_another_type_is_unreadable(documents: Path, tmp_path: Path, suffix: str) -> None:
    disguised = tmp_path / f"disguised.{suffix}"
    shutil.copy(documents / "pgbouncer-readme.md", disguised)

    with pytest.raises(UnreadableDocumentError, match=f"cannot be read as {suffix}: "):
        read(disguised)


@pytest.mark.parametrize("suffix", ["html", "md"])
def test_a_file_without_text_is_refused(tmp_path: Path, suffix: str) -> None:
    empty = tmp_path / f"empty.{suffix}"
    empty.write_text("<html><body></body></html>" if suffix == "html" else "\n\n")

    with pytest.raises(UnreadableDocumentError, match="has no text"):
        read(empty)


def test_a_missing_file_is_no_fault_of_the_document(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "not-there-yet.pdf")


@pytest.mark.timeout(120)
def test_nothing_imports_torch(documents: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from document_pipeline.parsing import parse_file
parse_file(Path({str(documents / "pgbackrest-faq.docx")!r}), "docx")
parse_file(Path({str(documents / "postgresql-explicit-locking.pdf")!r}), "pdf")
print(sorted({{"torch", "transformers", "docling.document_converter"}} & sys.modules.keys()))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(documents.parent)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout == "[]\n"
