"""The settings of the API and the dashboard."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgboss import ConfigurationError
from pgboss.web import WebOptions
from pgboss.web.access import ApiKey


@pytest.fixture(autouse=True)
def nothing_of_the_developers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("API_KEYS", "READ_ONLY", "REDACT", "SESSION_SECRET", "MAX_REQUEST_BYTES"):
        monkeypatch.delenv(f"PGBOSS_{name}", raising=False)


def test_without_settings() -> None:
    assert WebOptions.from_environment() == WebOptions()


def test_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGBOSS_API_KEYS", " grafana:read:look , ci:full:a:b ,")
    monkeypatch.setenv("PGBOSS_READ_ONLY", "true")
    monkeypatch.setenv("PGBOSS_REDACT", "password, Token")
    monkeypatch.setenv("PGBOSS_SESSION_SECRET", "sixteen-letters!")
    monkeypatch.setenv("PGBOSS_MAX_REQUEST_BYTES", "2048")
    found = WebOptions.from_environment()
    assert found == WebOptions(
        keys=(ApiKey("grafana", "read", "look"), ApiKey("ci", "full", "a:b")),
        read_only=True,
        redact=frozenset({"password", "Token"}),
        session_secret="sixteen-letters!",
        max_body_bytes=2048,
    )
    assert "look" not in repr(found)
    assert "sixteen" not in repr(found)
    assert WebOptions.from_environment(read_only=False).read_only is False


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("API_KEYS", "hush-hush", "PGBOSS_API_KEYS, key 1: it is not name:read:secret or name:full:secret"),
        ("API_KEYS", "a:read:x,:full:hush-hush", "key 2: it is not name:"),
        ("API_KEYS", "a:read:", "key 1: it is not name:"),
        ("API_KEYS", "a:write:hush-hush", "key 1: 'a' has neither right"),
        ("API_KEYS", "a:read:x,a:full:hush-hush", "a is there more than once"),
        ("SESSION_SECRET", "hush-hush", "at least 16 characters"),
        ("READ_ONLY", "perhaps", "PGBOSS_READ_ONLY='perhaps'"),
        ("MAX_REQUEST_BYTES", "1", "PGBOSS_MAX_REQUEST_BYTES='1'"),
    ],
)
def test_unusable_values(monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str) -> None:
    monkeypatch.setenv(f"PGBOSS_{name}", value)
    with pytest.raises(ConfigurationError) as refused:
        WebOptions.from_environment()
    assert told in str(refused.value)
    assert "hush-hush" not in str(refused.value)
