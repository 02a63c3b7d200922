"""Statements for drivers that are no psycopg: their placeholders, and parameters as text.

Our statements are written for psycopg: ``$1``, a cast at each. psycopg2 knows other placeholders and sends literals.
asyncpg encodes parameters by the type that the server names, with whatever codec the caller has set for it; text is
the way around those codecs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from types import NoneType
from typing import Any
from uuid import UUID

from pgboss.core.query import Parameter

__all__ = ["as_array", "as_literal", "as_plain", "through_text", "to_pyformat"]

CACHED_STATEMENTS = 512
# What asyncpg sends as it is; nobody sets a codec of his own for these.
PLAIN_TYPES = frozenset(
    {"text", "int", "integer", "smallint", "bigint", "bool", "boolean", "float8", "double precision"}
)

# First what may hold a placeholder that is none: quoted text, quoted and plain names, dollar quotes, comments.
_TOKENS = re.compile(
    r"""
    \b[eE]'(?:[^'\\]|\\.|'')*'
    | '[^']*'
    | "[^"]*"
    | [^\W\d][\w$]*
    | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$
    | --[^\n]*
    | /\*.*?\*/
    | \$(?P<number>\d+)(?:::(?P<type>double\ precision|(?:\w+|"[^"]+")(?:\.(?:\w+|"[^"]+"))?)(?P<array>(?:\[\])?))?
    | %
    """,
    re.VERBOSE | re.DOTALL,
)


@lru_cache(CACHED_STATEMENTS)
def to_pyformat(sql: str) -> str:
    """``$2`` becomes ``%(p2)s``, and every other ``%`` is doubled: psycopg2 reads them within quotes too."""

    def turned(token: re.Match[str]) -> str:
        if token["number"] is None:
            return token[0].replace("%", "%%")
        return f"%(p{token['number']})s{token[0].removeprefix('$' + token['number'])}"

    return _TOKENS.sub(turned, sql)


@lru_cache(CACHED_STATEMENTS)
def through_text(sql: str) -> str:
    """``$2::jsonb`` becomes ``$2::text::jsonb``: the server reads the value, and no codec of the caller's sees it."""

    def turned(token: re.Match[str]) -> str:
        if token["number"] is None or token["type"] is None or token["type"] in PLAIN_TYPES:
            return token[0]
        return f"${token['number']}::text{token['array']}::{token['type']}{token['array']}"

    return _TOKENS.sub(turned, sql)


def as_plain(parameter: Parameter) -> Any:
    """A parameter of str, int, float, bool and lists of them; ids and times are text."""
    if isinstance(parameter, UUID | datetime):
        return _text(parameter)
    if parameter is None or isinstance(parameter, str | int | float):
        return parameter
    return [as_plain(item) for item in parameter]


def as_literal(parameter: Parameter) -> str | None:
    """A parameter as the text that PostgreSQL reads for any type: the value, or ``{…}`` for a list."""
    if parameter is None:
        return None
    if isinstance(parameter, str | int | float | UUID | datetime):
        return _text(parameter)
    return as_array(parameter)


def as_array(items: Sequence[Any]) -> str:
    """A list as the text that PostgreSQL reads for an array, ``{…}``.

    Workers settle by lists of a thousand, and psycopg's own way asks for each item what it is.
    """
    kinds = set(map(type, items))
    elements: Iterable[str]
    if kinds == {UUID}:
        elements = [item.hex for item in items]
    elif kinds == {int}:
        elements = map(str, items)
    elif kinds == {datetime}:
        # Jobs that were claimed together were started at the same time.
        texts = {item: f'"{item.isoformat()}"' for item in set(items)}
        elements = [texts[item] for item in items]
    elif kinds == {NoneType}:
        elements = ["NULL"] * len(items)
    else:
        elements = [_element(as_literal(item)) for item in items]
    return "{" + ",".join(elements) + "}"


def _text(value: str | float | UUID | datetime) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _element(text: str | None) -> str:
    if text is None:
        return "NULL"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
