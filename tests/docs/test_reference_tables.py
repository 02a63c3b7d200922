"""The tables of names: complete in both directions, so that they stay true when calls are added."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest

from docs.pages import ROOT, table_rows
from document_pipeline.settings import PipelineSettings
from pgboss import PgBoss, QueueOptions, SendOptions, SyncPgBoss
from pgboss.client.base import ClientKeywords
from pgboss.core.instance_options import InstanceOptions
from pgboss.core.options import FetchOptions, UpdateOptions
from pgboss.core.work_options import WorkOptions
from pgboss.settings import Settings
from support.node_process import FOLDER as NODE_FOLDER

ARCHITECTURE = ROOT / "docs" / "architecture.md"
PGBOSS_TYPES = NODE_FOLDER / "node_modules" / "pg-boss" / "dist"


def names(cell: str) -> list[str]:
    return re.findall(r"`(\w+)", cell)


def translations() -> list[tuple[list[str], list[str]]]:
    """Both sides of every row about calls and options."""
    return [(names(row[0]), names(row[1])) for row in table_rows(ARCHITECTURE, "pg-boss")]


def our_calls() -> set[str]:
    return {name for name, _ in inspect.getmembers(PgBoss, inspect.isfunction) if not name.startswith("_")}


def our_options() -> set[str]:
    """The options of jobs, queues, fetches, workers and instances."""
    kinds = (SendOptions, UpdateOptions, QueueOptions, FetchOptions, WorkOptions, InstanceOptions)
    keywords = {field.name for kind in kinds for field in fields(kind)}
    keywords |= set(get_type_hints(ClientKeywords)) | set(inspect.signature(PgBoss.__init__).parameters)
    return keywords - {"self", "options"}


def our_parameters() -> set[str]:
    return {name for call in our_calls() for name in inspect.signature(getattr(PgBoss, call)).parameters}


def test_the_readme_tells_of_every_variable() -> None:
    told = [name for row in table_rows(ROOT / "README.md", "Variable") for name in names(row[0])]
    read = [name.upper() for model in (Settings, PipelineSettings) for name in model.model_fields]

    assert sorted(told) == sorted({*read, "TEST_DATABASE_URL"})


def test_the_readme_tells_the_defaults() -> None:
    told = {names(row[0])[0]: row[1] for row in table_rows(ROOT / "README.md", "Variable")}

    for model in (Settings, PipelineSettings):
        for name, field in model.model_fields.items():
            if isinstance(field.default, str | int) and field.default:
                assert told[name.upper()] == f"`{field.default}`"


def test_every_call_of_ours_is_translated() -> None:
    translated = {ours for _, here in translations() for ours in here}

    assert our_calls() - {"hurry", "serve"} <= translated


def test_every_option_of_ours_is_translated() -> None:
    translated = {ours for _, here in translations() for ours in here}

    assert our_options() <= translated


def test_every_name_that_is_said_to_be_ours_is() -> None:
    said = {ours for _, here in translations() for ours in here}

    assert said <= our_calls() | our_options() | our_parameters()


def test_the_sync_twin_has_every_call_but_the_loops() -> None:
    sync = {name for name, _ in inspect.getmembers(SyncPgBoss, inspect.isfunction) if not name.startswith("_")}

    loops = "work off_work notify_worker get_wip_data serve hurry on off supervise get_spy clear_spies"
    assert our_calls() - sync == set(loops.split())


@pytest.mark.node
def test_every_call_of_pg_boss_is_translated() -> None:
    declared = re.search(r"export declare class PgBoss .*?\n}", (PGBOSS_TYPES / "index.d.ts").read_text(), re.DOTALL)
    assert declared
    calls = set(re.findall(r"^    (\w+)(?:<[^(]*>)?\(", declared[0], re.MULTILINE)) - {"constructor"}

    assert len(calls) > 60
    assert calls <= {theirs for names_there, _ in translations() for theirs in names_there}


@pytest.mark.node
@pytest.mark.parametrize(
    "interface",
    """
    DatabaseOptions SchedulingOptions MaintenanceOptions BackendOptions InstanceOptions ConstructorOptions
    QueueOptions JobOptions CompleteOptions InsertOptions JobFetchOptions JobPollingOptions WorkConcurrencyOptions
    WorkOptions Queue FetchGroupConcurrencyOptions StartOptions StopOptions OffWorkOptions FindJobsOptions
    """.split(),
)
def test_every_option_of_pg_boss_is_translated(interface: str) -> None:
    declared = re.search(
        rf"(?:interface|type) {interface}\b[^{{]*{{(.*?)\n}}", _without_comments(PGBOSS_TYPES / "types.d.ts"), re.DOTALL
    )
    assert declared
    options = set(re.findall(r"^    (\w+)\??:", declared[1], re.MULTILINE))

    assert options
    assert options <= {theirs for names_there, _ in translations() for theirs in names_there} | {"name"}


def _without_comments(path: Path) -> str:
    return re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
