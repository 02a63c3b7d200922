"""The scripts written by hand: ``tests/interop/scripts/*.json``, each file a topic, each script under its sentence."""

from __future__ import annotations

import json
from pathlib import Path

from support.differential.calls import Script

__all__ = ["as_json", "scripts"]

FOLDER = Path(__file__).resolve().parents[2] / "interop" / "scripts"


def scripts() -> dict[str, Script]:
    """All scripts, under ``topic: sentence``."""
    return {
        f"{file.stem}: {sentence}": script
        for file in sorted(FOLDER.glob("*.json"))
        for sentence, script in json.loads(file.read_text()).items()
    }


def as_json(script: Script) -> str:
    """A script as those files hold it: a step a line."""
    return "[\n" + ",\n".join("    " + json.dumps(step, ensure_ascii=False) for step in script) + "\n  ]"
