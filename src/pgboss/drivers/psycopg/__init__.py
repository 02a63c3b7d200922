"""psycopg 3, the default driver: its pools, the caller's connections, and a connection that listens.

Statements are not prepared by name, so they are safe behind a pooler that hands every transaction another server
connection; ``kept`` says which ones are, and why that is safe, too.
"""

from pgboss.drivers.psycopg.ahead import Ahead
from pgboss.drivers.psycopg.connections import connect_alone
from pgboss.drivers.psycopg.conninfo import named, place, read_conninfo, with_setting
from pgboss.drivers.psycopg.listener import Listener
from pgboss.drivers.psycopg.lone import LoneConnection
from pgboss.drivers.psycopg.pools import AsyncDatabase, Database
from pgboss.drivers.psycopg.sessions import AsyncPsycopgSession, PsycopgSession

__all__ = [
    "Ahead",
    "AsyncDatabase",
    "AsyncPsycopgSession",
    "Database",
    "Listener",
    "LoneConnection",
    "PsycopgSession",
    "connect_alone",
    "named",
    "place",
    "read_conninfo",
    "with_setting",
]
