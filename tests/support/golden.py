"""Texts that must not change by accident: kept in ``tests/golden/``, renewed by ``make golden``."""

from __future__ import annotations

import os
from difflib import unified_diff
from pathlib import Path

import pytest

__all__ = ["GOLDEN", "check_golden"]

GOLDEN = Path(__file__).resolve().parent.parent / "golden"


def check_golden(name: str, text: str) -> None:
    """Compare a text with the kept one, ``tests/golden/<name>``; under ``make golden``, keep the new one instead."""
    path = GOLDEN / name
    text = text.rstrip() + "\n"
    if os.environ.get("RENEW_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    kept = path.read_text() if path.exists() else ""
    if text != kept:
        changes = "\n".join(unified_diff(kept.splitlines(), text.splitlines(), name, "now", n=1, lineterm=""))
        advice = f"tests/golden/{name} is stale. If this change is meant, run `make golden` and commit it."
        pytest.fail(f"{advice}\n{changes}", pytrace=False)
