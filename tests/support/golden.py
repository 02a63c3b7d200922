"""Texts that must not change by accident: kept in ``tests/golden/``, renewed by ``make golden``."""

from __future__ import annotations

import os
from pathlib import Path

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
    assert text == kept, f"tests/golden/{name} is stale. If the change is meant, run `make golden` and read its diff."
