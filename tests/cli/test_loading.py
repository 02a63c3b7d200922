"""Naming job definitions on the command line: ``module:jobs``, and everything that may be wrong with it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgboss import ConfigurationError, Jobs
from pgboss.cli.loading import load_jobs, only_queues
from support.command_line import CommandLine

REGISTRY = """
from typing import Any
from pgboss import Jobs

jobs = Jobs()

@jobs.job("mail", retry_limit=9)
async def mail(payload: Any) -> None: ...

@jobs.job("pages", dead_letter="lost")
async def pages(payload: Any) -> None: ...

jobs.declare("elsewhere")
"""


@pytest.fixture(autouse=True)
def fresh_imports(empty_folder: Path) -> Iterator[None]:
    """What a test imports from its own folder is gone after it."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(empty_folder) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def names(jobs: Jobs) -> list[str]:
    return [definition.name for definition in jobs]


def test_a_module_of_the_current_folder(empty_folder: Path) -> None:
    write(empty_folder, "shop_a.py", REGISTRY)

    assert names(load_jobs(["shop_a:jobs"])) == ["mail", "pages", "elsewhere"]


def test_the_name_is_jobs_when_it_is_left_out(empty_folder: Path) -> None:
    write(empty_folder, "shop_b.py", REGISTRY)

    assert len(load_jobs(["shop_b"])) == 3


def test_packages_and_attributes_of_attributes(empty_folder: Path) -> None:
    write(empty_folder, "shop_c/__init__.py", "")
    write(empty_folder, "shop_c/deep.py", REGISTRY + "\nclass App:\n    registry = jobs\n")

    assert len(load_jobs(["shop_c.deep:App.registry"])) == 3


def test_several_modules(empty_folder: Path) -> None:
    write(empty_folder, "shop_d.py", REGISTRY)
    write(empty_folder, "shop_e.py", "from pgboss import Jobs\nmore = Jobs()\nmore.declare('more')\n")

    assert names(load_jobs(["shop_d", "shop_e:more", "shop_d"])) == ["mail", "pages", "elsewhere", "more"]


def test_two_definitions_of_one_name(empty_folder: Path) -> None:
    write(empty_folder, "shop_f.py", REGISTRY)
    write(empty_folder, "shop_g.py", REGISTRY)

    with pytest.raises(ConfigurationError, match="mail"):
        load_jobs(["shop_f", "shop_g"])


BROKEN = {
    "raises.py": "from pgboss import Jobs\njobs = Jobs()\n\nraise RuntimeError('no licence')\n",
    "imports.py": "import no_such_library\n",
    "half.py": "def f(:\n",
    "exits.py": "raise SystemExit(3)\n",
    "other.py": REGISTRY.replace("jobs", "tasks"),
    "wrong.py": "jobs = {'mail': print}\ndef function(): ...\n",
    "package/__init__.py": "",
    "package/deep.py": "from package.missing import something\n",
}


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ("nowhere:jobs", "There is no module 'nowhere', neither in {folder} nor installed."),
        ("nowhere.deep:jobs", "There is no module 'nowhere'"),
        ("package.nowhere:jobs", "There is no module 'package.nowhere'"),
        ("raises:jobs", "The module raises cannot be imported: RuntimeError: no licence ({folder}/raises.py, line 4)."),
        ("imports:jobs", "ModuleNotFoundError: No module named 'no_such_library' ({folder}/imports.py, line 1)."),
        ("package.deep:jobs", "No module named 'package.missing' ({folder}/package/deep.py, line 1)."),
        ("half:jobs", "SyntaxError: invalid syntax"),
        ("exits:jobs", "The module exits cannot be imported: SystemExit: 3 ({folder}/exits.py, line 1)."),
        ("other:jobs", "other:jobs: other has no 'jobs'. It has the registries other:tasks."),
        ("other:tasks.more", "other:tasks.more: other has no 'more'."),
        ("wrong:jobs", "wrong:jobs is a dict, not a Jobs registry. Name the object made by `jobs = Jobs()`."),
        ("wrong:function", "wrong:function is a function or class, not a Jobs registry."),
        ("package.deep", "cannot be imported"),
        ("raises.py", "raises.py names a file; name the module: raises:jobs."),
        ("./package/deep.py:jobs", "names a file; name the module: package.deep:jobs."),
        (":jobs", "':jobs' names no module. Write it as module:name, such as myapp.jobs:jobs."),
        ("not a module:jobs", "names no module"),
        ("..relative:jobs", "names no module"),
    ],
)
def test_what_cannot_be_loaded(bare: CommandLine, empty_folder: Path, place: str, complaint: str) -> None:
    for name, text in BROKEN.items():
        write(empty_folder, name, text)

    outcome = bare("worker", place)

    assert (outcome.code, outcome.out) == (2, "")
    [line] = outcome.err.splitlines()
    assert complaint.format(folder=empty_folder) in line


def test_debug_shows_where_an_import_failed(bare: CommandLine, empty_folder: Path) -> None:
    write(empty_folder, "raises.py", BROKEN["raises.py"])

    outcome = bare("worker", "raises:jobs", "--debug")

    assert outcome.code == 2
    assert f'File "{empty_folder}/raises.py", line 4, in <module>' in outcome.err
    assert "RuntimeError: no licence" in outcome.err


def test_a_registry_with_nothing_to_work(bare: CommandLine, empty_folder: Path) -> None:
    write(empty_folder, "sends.py", "from pgboss import Jobs\njobs = Jobs()\njobs.declare('elsewhere')\n")

    outcome = bare("worker", "sends")

    assert outcome.code == 2
    assert "none of these definitions has a handler" in outcome.err


def test_only_some_queues_are_worked_and_all_are_known(empty_folder: Path) -> None:
    write(empty_folder, "shop_h.py", REGISTRY)

    chosen = only_queues(load_jobs(["shop_h"]), ["mail"])

    assert {definition.name: definition.handler is not None for definition in chosen} == {
        "mail": True,
        "pages": False,
        "elsewhere": False,
    }
    assert chosen["pages"].queue_options.dead_letter == "lost"
    assert chosen["mail"].queue_options.retry_limit == 9


@pytest.mark.parametrize("unknown", ["nowhere", "elsewhere"])
def test_a_queue_without_a_handler_cannot_be_worked(bare: CommandLine, empty_folder: Path, unknown: str) -> None:
    write(empty_folder, "shop_i.py", REGISTRY)

    outcome = bare("worker", "shop_i", "--queue", unknown)

    assert outcome.code == 2
    assert outcome.err == f"Error: No handler for {unknown}; there are handlers for: mail, pages.\n"
