"""Where the application lives, and what is asked for beneath that."""

from __future__ import annotations

from starlette.requests import HTTPConnection

__all__ = ["base_of", "path_of"]


def base_of(connection: HTTPConnection) -> str:
    """The path that this application lives under, without a slash at its end; it begins every link."""
    return str(connection.scope.get("root_path", "")).rstrip("/")


def path_of(connection: HTTPConnection) -> str:
    """What is asked for, beneath that."""
    return str(connection.scope["path"]).removeprefix(base_of(connection)) or "/"
