"""Where the documentation is followed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def desk() -> Iterator[Path]:
    """A folder with a short path, open to all: PostgreSQL must get through to its data when root runs it."""
    with tempfile.TemporaryDirectory(prefix="pgboss-docs-") as path:
        Path(path).chmod(0o711)
        yield Path(path)
