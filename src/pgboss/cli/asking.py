"""Asking before something is gone for good."""

from __future__ import annotations

import sys

import typer

from pgboss.cli.exits import USAGE, give_up

__all__ = ["ask"]


def ask(question: str) -> None:
    """Go on only when the user, sitting at a terminal, says yes.

    Raises:
        typer.Exit: there is nobody to ask, or the answer is no.
    """
    if not sys.stdin.isatty():
        give_up(f"{question} Nobody is there to answer: repeat with --yes.", USAGE)
    if not typer.confirm(question, err=True):
        give_up("Nothing was deleted.")
