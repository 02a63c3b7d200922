"""Settings from the environment: ``DATABASE_URL`` and ``PGBOSS_*``."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field
from pydantic import ValidationError as InvalidSettings
from pydantic_settings import BaseSettings, SettingsConfigDict

from pgboss.errors import ConfigurationError

__all__ = ["Loop", "Settings", "load_settings"]

Loop: TypeAlias = Literal["auto", "asyncio", "uvloop"]


class Settings(BaseSettings):
    """What the environment says; an argument given in code always wins.

    Attributes:
        database_url: ``DATABASE_URL``, any libpq connection string. Empty means libpq's own defaults are not tried:
            the caller is told to set it.
        pgboss_schema: ``PGBOSS_SCHEMA``, the schema pg-boss lives in; in double quotes to keep capitals.
        pgboss_concurrency: ``PGBOSS_CONCURRENCY``, how many jobs of one queue a worker process runs at once.
        pgboss_pool_size: ``PGBOSS_POOL_SIZE``, the most connections of the pool.
        pgboss_pooler: ``PGBOSS_POOLER``, whether a pooler is between us and the server that works in ``transaction``
            mode; one in ``session`` mode is as good as none. ``auto`` finds out.
        pgboss_loop: ``PGBOSS_LOOP``, the event loop of worker processes: ``asyncio``, ``uvloop``, or ``auto``, which
            is uvloop where that is installed.
        pgboss_max_payload_bytes: ``PGBOSS_MAX_PAYLOAD_BYTES``, the largest payload we agree to send, as JSON text.
        pgboss_data_dir: ``PGBOSS_DATA_DIR``, where embedded servers keep their data; empty means a folder of this
            user's.
        pgboss_postgres_bin: ``PGBOSS_POSTGRES_BIN``, the folder of the programs an embedded server is run from; empty
            means the wheel's, or what the machine has.
        pgboss_postgres_user: ``PGBOSS_POSTGRES_USER``, whom root runs an embedded server as.
        pgboss_api_keys: ``PGBOSS_API_KEYS``, who may use the API and the dashboard: ``name:read:secret`` or
            ``name:full:secret``, several by commas.
        pgboss_read_only: ``PGBOSS_READ_ONLY``, whether nobody may change anything by them.
        pgboss_redact: ``PGBOSS_REDACT``, names of keys in data and outputs whose values they do not show, by commas.
        pgboss_session_secret: ``PGBOSS_SESSION_SECRET``, what signs the cookies of those who log in.
        pgboss_sites: ``PGBOSS_SITES``, what ``pgboss serve`` shows: ``name=dsn#schema``, several by ``|``.
        pgboss_max_request_bytes: ``PGBOSS_MAX_REQUEST_BYTES``, the largest request that they read.
    """

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)

    database_url: str = ""
    pgboss_schema: str = "pgboss"
    pgboss_concurrency: int = Field(default=5, ge=1, le=10_000)
    pgboss_pool_size: int = Field(default=10, ge=1, le=1_000)
    pgboss_pooler: Literal["auto", "session", "transaction"] = "auto"
    pgboss_loop: Loop = "auto"
    pgboss_max_payload_bytes: int = Field(default=8 * 1024 * 1024, ge=1)
    pgboss_data_dir: str = ""
    pgboss_postgres_bin: str = ""
    pgboss_postgres_user: str = ""
    pgboss_api_keys: str = Field(default="", repr=False)
    pgboss_read_only: bool = False
    pgboss_redact: str = ""
    pgboss_session_secret: str = Field(default="", repr=False)
    pgboss_sites: str = Field(default="", repr=False)
    pgboss_max_request_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)


def load_settings() -> Settings:
    """Read the environment (and ``.env``).

    Raises:
        ConfigurationError: a variable has an unusable value; the message names it.
    """
    try:
        return Settings()
    except InvalidSettings as error:
        problems = "; ".join(
            f"{str(problem['loc'][0]).upper()}={problem.get('input')!r}: {problem['msg']}" for problem in error.errors()
        )
        raise ConfigurationError(f"Unusable settings: {problems}.") from None
