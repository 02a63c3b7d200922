"""As whom PostgreSQL runs: ourselves, or somebody with fewer rights when we are root."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from pgboss.errors import EmbeddedServerError
from pgboss.settings import load_settings

__all__ = ["Account", "choose_account", "current_account"]

DEDICATED_NAMES = ("pgboss", "postgres", "nobody")
"""Whom root drops to, by falling preference. They are looked up, never created."""


class DropOptions(TypedDict, total=False):
    """The arguments of ``subprocess.Popen`` that make a child somebody else."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the operating system."""

    name: str
    uid: int
    gid: int

    @property
    def dropped(self) -> bool:
        """Whether running as this account means giving up our own rights."""
        return self.uid != os.geteuid()

    def drop_options(self) -> DropOptions:
        """Arguments for ``subprocess.Popen`` that run a child as this account; none when that is ourselves."""
        if not self.dropped:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def current_account() -> Account:
    """The account this process runs as.

    Raises:
        EmbeddedServerError: the operating system has no entry for it; initdb and peer authentication need one.
    """
    return _of_uid(os.geteuid())


def choose_account(requested: str | None, data: Path) -> Account:
    """Whom PostgreSQL is to run as: ourselves, or for root a user without its rights.

    Root takes the requested user or that of ``PGBOSS_POSTGRES_USER``, else the owner of data that exist already, else
    a dedicated user, else nobody.

    Raises:
        EmbeddedServerError: the user is unknown, is root, may not be used by us, or does not own the data.
    """
    ours = current_account()
    requested = requested or load_settings().pgboss_postgres_user
    wanted = _of_name(requested) if requested else None
    if ours.uid != 0:
        if wanted is not None and wanted != ours:
            raise EmbeddedServerError(
                f"Only root can run PostgreSQL as another user: this process is {ours.name!r}, "
                f"and {wanted.name!r} was asked for. Leave the user out."
            )
        return ours
    owner = _owner(data)
    if wanted is not None and owner is not None and wanted != owner:
        raise EmbeddedServerError(
            f"The data in {data} belong to {owner.name!r}, not to {wanted.name!r}. Ask for that user, or for none."
        )
    chosen = wanted or owner or _dedicated()
    if chosen.uid == 0:
        raise EmbeddedServerError(
            f"PostgreSQL refuses to run as root. Choose another user by PGBOSS_POSTGRES_USER for the data in {data}."
        )
    return chosen


def _owner(data: Path) -> Account | None:
    try:
        return _of_uid(data.stat().st_uid)
    except FileNotFoundError:
        return None


def _dedicated() -> Account:
    for name in DEDICATED_NAMES:
        try:
            return _of_name(name)
        except EmbeddedServerError:
            continue
    raise EmbeddedServerError(
        "PostgreSQL refuses to run as root, and there is no user to run it as: none of "
        f"{', '.join(DEDICATED_NAMES)} exists. Name one by PGBOSS_POSTGRES_USER."
    )


def _of_name(name: str) -> Account:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise EmbeddedServerError(f"There is no user {name!r} on this machine to run PostgreSQL as.") from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _of_uid(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise EmbeddedServerError(
            f"The user id {uid} has no name on this machine (no entry in /etc/passwd), and PostgreSQL cannot run "
            "without one. Add the entry, or use another server by DATABASE_URL."
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
