"""Renew the locks, or check that those of Python belong to ``pyproject.toml``.

    python tools/lock.py               keep the locked versions where they still fit
    python tools/lock.py --upgrade     take the newest versions
    python tools/lock.py --check       fail when pyproject.toml asks for something else than the locks were made for

In ``locks/``, ``dev.txt`` holds everything and ``demo.txt`` the part of it that the example needs, at the same
versions, so that one ``.venv`` serves both. The package itself never goes to the resolver: what it asks for is
spelled out instead. The tests' ``package-lock.json`` are renewed with them, and so are the servers of
``prove_postgres.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tomllib
from typing import Any

from prove_postgres import ITS_PYTHON, MAJORS, PACKAGE, lock_of
from set_up import NODE_FOLDERS, PEERS_NODE_FOLDERS, ROOT, find_uv, run_npm

LOCKS = ROOT / "locks"
EDITABLE = "editables"  # What hatchling adds to its own requirements for an editable install.
PURPOSES = {
    "dev": "everything that the checks, the tests and the demo need",
    "demo": "what `make demo` needs, at the versions of dev.txt",
    "bench": "the job queues that `make bench` compares ours with",
    "uv": "uv itself, for machines that have none",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Renew locks/ from pyproject.toml.")
    parser.add_argument("--check", action="store_true", help="change nothing, fail when a lock is stale")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    options = parser.parse_args()
    project = Project(tomllib.loads((ROOT / "pyproject.toml").read_text()))
    if not options.check:
        for name in PURPOSES:
            renew(project, name, upgrade=options.upgrade)
        for major in MAJORS:
            renew_postgres(major, upgrade=options.upgrade)
        for folder in NODE_FOLDERS | PEERS_NODE_FOLDERS:
            run_npm("install", "--package-lock-only", folder=folder)
    elif stale := [name for name in PURPOSES if not is_fresh(project, name)]:
        sys.exit(f"Stale: {', '.join(f'locks/{name}.txt' for name in stale)}. Run `make lock`.")


class Project:
    """What pyproject.toml asks for."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content
        self._project = content["project"]
        self.oldest_python = self._project["requires-python"].removeprefix(">=")

    def requirements(self, lock: str) -> list[str]:
        """The requirements behind a lock, sorted and without the package itself."""
        if lock == "uv":
            return ["uv"]
        if lock == "bench":
            return sorted(self._group("bench"))
        groups = {"demo": ["demo"], "dev": ["demo", "dev"]}[lock]
        asked = [*self._project["dependencies"], *self._content["build-system"]["requires"], EDITABLE]
        return sorted({*asked, *(item for group in groups for item in self._group(group))})

    def _group(self, name: str) -> list[str]:
        items: list[str] = []
        for item in self._content["dependency-groups"][name]:
            if isinstance(item, dict):
                items += self._group(item["include-group"])
            else:
                items += self._own_extras(item) or [item]
        return items

    def _own_extras(self, requirement: str) -> list[str]:
        own = re.fullmatch(rf"{self._project['name']}\[(.+)\]", requirement)
        extras = self._project["optional-dependencies"]
        return [item for extra in own[1].split(",") for item in extras[extra.strip()]] if own else []


def renew(project: Project, name: str, *, upgrade: bool) -> None:
    path = LOCKS / f"{name}.txt"
    command = [find_uv(), "pip", "compile", "-", "--output-file", str(path), "--quiet"]
    command += ["--universal", "--python-version", project.oldest_python, "--generate-hashes"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--no-header"]
    command += ["--upgrade"] if upgrade else []
    command += ["--constraints", str(LOCKS / "dev.txt")] if name == "demo" else []
    requirements = "\n".join(project.requirements(name))
    subprocess.run(command, input=requirements, text=True, check=True)
    path.write_text(header(project, name) + path.read_text())


def renew_postgres(major: int, *, upgrade: bool) -> None:
    """The programs of one PostgreSQL, for `make prove-postgres`: nothing that is installed into ``.venv``."""
    command = [find_uv(), "pip", "compile", "-", "--output-file", str(lock_of(major)), "--quiet"]
    command += ["--python-version", ITS_PYTHON, "--generate-hashes", "--no-annotate", "--no-header"]
    command += ["--no-emit-index-url", "--no-emit-find-links", *(["--upgrade"] if upgrade else [])]
    subprocess.run(command, input=f"{PACKAGE}=={major}.*", text=True, check=True)


def header(project: Project, name: str) -> str:
    asked = "\n".join([project.oldest_python, *project.requirements(name)])
    return (
        f"# Versions and hashes of {PURPOSES[name]}.\n"
        "# They name no address to download from, so that any mirror serves them. Made by `make lock`; do not edit.\n"
        f"# Asked for: {hashlib.sha256(asked.encode()).hexdigest()}\n"
    )


def is_fresh(project: Project, name: str) -> bool:
    path = LOCKS / f"{name}.txt"
    return path.exists() and path.read_text().startswith(header(project, name))


if __name__ == "__main__":
    main()
