"""What the functions of a schema say: our text, pg-boss's, or something else.

pg-boss's own bodies are known by their fingerprints alone; tests/interop keeps those true.
"""

from __future__ import annotations

import re
from hashlib import sha256

from pgboss.core.names import CLOCK_SETTING, SchemaName
from pgboss.schema.texts import MANAGED_FUNCTIONS, OWN_FUNCTIONS, managed_expression, own_source

__all__ = ["CLOCK_SETTING", "NODE_BODIES", "fingerprint", "is_ours", "is_sound", "own_functions_behind"]

NODE_BODIES = {
    "create_queue": "08a4a43b2d1c4fc32f7225cafb920d13",
    "delete_queue": "cad7e673b5a66bab3c982883b39ca878",
    "job_now": "8158752202e31a471ac1f73feb67eedc",
    "job_table_format": "4dbad0fe31fd77f44e07fc4f3a46f3f2",
    "job_table_run": "c890c511feb5b271e8e2a3721d2cb279",
    "job_table_run_async": "35da4660f4777833289927190c38f007",
}
"""Fingerprints of what pg-boss 12.38 installs on a database with partitioning."""

# A qualifier before a name: the schema as somebody has spelled it, or a table's alias.
_QUALIFIER = re.compile(r'(?:"[^"]+"|\b[A-Za-z_]\w*)\.')
_EXPRESSION = re.compile(r"\s*(?:RETURN|SELECT)\s(?P<expression>.*?)[\s;]*", re.DOTALL)


def is_sound(name: str, body: str) -> bool:
    """Whether a function's body is ours or, for those it calls, pg-boss's."""
    if name in OWN_FUNCTIONS:
        return _plain(body) == _plain(own_source(_ANY_SCHEMA, name))
    return is_ours(name, body) or fingerprint(body) == NODE_BODIES[name]


def is_ours(name: str, body: str) -> bool:
    """Whether a managed function hands its work to ours, by an SQL expression or, on PostgreSQL 13, by a string."""
    found = _EXPRESSION.fullmatch(body)
    return found is not None and _plain(found["expression"]) == _plain(managed_expression(_ANY_SCHEMA, name))


def own_functions_behind(name: str) -> set[str]:
    """The functions of ours that this function of ours, or this managed one when it is ours, comes to call."""
    text = managed_expression(_ANY_SCHEMA, name) if name in MANAGED_FUNCTIONS else own_source(_ANY_SCHEMA, name)
    called = {own for own in OWN_FUNCTIONS if own != name and re.search(rf"\b{own}\b", text)}
    return called.union(*(own_functions_behind(own) for own in called))


def fingerprint(body: str) -> str:
    """A digest of what a body says, whatever its layout and however the schema is spelled in it."""
    return sha256(_plain(body).encode()).hexdigest()[:32]


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", _QUALIFIER.sub("", text)).strip()


_ANY_SCHEMA = SchemaName()
