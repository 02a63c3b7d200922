"""Scripts written by hand, one for each behaviour: real pg-boss and ours end with the same rows and answers."""

from __future__ import annotations

import pytest

from support.differential.arena import Stage
from support.differential.calls import Script
from support.differential.exceptions import SCRIPTS_THAT_DIFFER
from support.differential.library import scripts
from support.differential.policies import policy_scripts

pytestmark = pytest.mark.node

SCRIPTS = [
    pytest.param(
        script,
        id=name,
        marks=[pytest.mark.xfail(strict=True, reason=why) for why in [SCRIPTS_THAT_DIFFER.get(name)] if why],
    )
    for name, script in (scripts() | policy_scripts()).items()
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_script(stage: Stage, script: Script) -> None:
    stage.check(script)


SEEN: Script = [
    {"call": "send", "queue": "standard", "data": {"n": 1}, "options": {"retryLimit": 0}, "as": "job"},
    {"call": "fetch", "queue": "standard"},
    {"call": "fail", "queue": "standard", "jobs": ["job"]},
]


@pytest.mark.parametrize(
    ("meddle", "message"),
    [
        ("UPDATE our_side.job SET priority = 1 WHERE name = 'dead'", "priority: 0 in Node, 1 here"),
        (
            "UPDATE our_side.job SET start_after = start_after + interval '1 microsecond' WHERE name = 'dead'",
            "start_after: +0.003 s in Node, +0.003001 s here",
        ),
        ("UPDATE our_side.job SET source_id = id WHERE name = 'dead'", "source_id: 'standard @ 0.001000' in Node"),
        ("DELETE FROM our_side.job WHERE name = 'dead'", "only in Node"),
        ("DELETE FROM node_side.job WHERE name = 'dead'", "only here"),
        ("INSERT INTO our_side.subscription (event, name) VALUES ('e', 'dead')", "only here"),
        ("UPDATE our_side.queue SET notify = true WHERE name = 'dead'", "notify: False in Node, True here"),
    ],
)
def test_a_difference_is_seen(stage: Stage, meddle: str, message: str) -> None:
    [found] = stage.differences(SEEN, meddle=meddle)

    assert message in found
