"""Random scripts of calls: real pg-boss and ours end with the same rows and answers.

``make test`` runs as many as fit into half a minute, ``make prove`` at least 2,000 (``DIFFERENTIAL_SCRIPTS``) and
prints the seed, which ``DIFFERENTIAL_SEED`` repeats. A script that fails is shrunk, and printed as it could stand in
``scripts/``.
"""

from __future__ import annotations

import os
import random
import sys
import time

import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings

from support.differential.arena import Stage
from support.differential.calls import Script
from support.differential.generate import sequences
from support.differential.library import as_json

# A rule that was broken once is broken: no second try.
pytestmark = [pytest.mark.node, pytest.mark.flaky(reruns=0)]

MANY = int(os.environ.get("DIFFERENTIAL_SCRIPTS", "2000"))
SEED = int(os.environ.get("DIFFERENTIAL_SEED") or random.SystemRandom().randrange(2**32))


def check(stage: Stage, script: Script) -> None:
    found = stage.differences(script)
    if found:
        note(f'"…": {as_json(script)}')
        raise AssertionError("\n  ".join(["The two sides differ:", *found]))


SOME = settings(
    max_examples=60,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)


# Shrinking a failure may take five minutes more.
@pytest.mark.timeout(900)
@SOME
@given(script=sequences())
def test_random_scripts(stage: Stage, script: Script) -> None:
    check(stage, script)


@pytest.mark.prove
@pytest.mark.timeout(7200)
def test_many_random_scripts(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    calls = scripts = 0

    @seed(SEED)
    @settings(SOME, max_examples=MANY)
    @given(script=sequences())
    def run(script: Script) -> None:
        nonlocal calls, scripts
        scripts, calls = scripts + 1, calls + len(script)
        check(stage, script)

    began = time.monotonic()
    try:
        run()
    finally:
        with capsys.disabled():
            took = time.monotonic() - began
            sys.stdout.write(f"\n{scripts} random scripts, {calls} calls, {took:.0f} s; DIFFERENTIAL_SEED={SEED}\n")
    assert scripts >= MANY
