"""``.env.example`` tells of every variable, and of none that nobody reads."""

from __future__ import annotations

import re
from pathlib import Path

from document_pipeline.settings import PipelineSettings
from pgboss.settings import Settings

EXAMPLE = Path(__file__).resolve().parent.parent.parent / ".env.example"


def test_env_example_names_every_variable_and_no_other() -> None:
    told = set(re.findall(r"^#([A-Z0-9_]+)=", EXAMPLE.read_text(), re.MULTILINE))

    assert told == {name.upper() for model in (Settings, PipelineSettings) for name in model.model_fields}


def test_env_example_shows_the_defaults() -> None:
    told = dict(re.findall(r"^#(PGBOSS_[A-Z_]+)=(\d+)$", EXAMPLE.read_text(), re.MULTILINE))
    numbers = {
        name.upper(): str(field.default) for name, field in Settings.model_fields.items() if field.annotation is int
    }

    assert told == numbers
