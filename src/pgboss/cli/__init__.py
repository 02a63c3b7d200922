"""The command ``pgboss``: one module a command group.

Only what ``pgboss --help`` shows is imported at the start; drivers, pydantic and rich come in when a command needs
them, so that a shell never waits for its help. Hence the imports within functions here, and nowhere else.

What a command does lives in the client and in ``operations/``; here it gets arguments, words and an exit code.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line of this process, and exit with the command's code."""
    from pgboss.cli.app import app

    app(prog_name="pgboss")
