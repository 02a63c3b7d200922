"""With a million jobs, every page of the dashboard and every read of the API answers at once."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import httpx
import pytest

from pgboss import SyncPgBoss
from pgboss.web import app
from support.boss import BossFactory
from support.pages import addresses as pages
from support.pages import at
from support.plans import fill
from support.postgres import sql
from support.web import calling, filled, reads

MOST_SECONDS = 0.3
SPREAD = "now() - interval '2 days' + n * interval '500 ms'"
ENDED = {"created_on": SPREAD, "start_after": SPREAD, "started_on": "now()", "completed_on": SPREAD}
PARTS = (
    (150_000, ENDED | {"state": "'completed'", "output": "'{\"done\": true}'"}),
    (30_000, ENDED | {"state": "'failed'", "output": "jsonb_build_object('message', 'no document ' || n)"}),
    (130_000, {"created_on": SPREAD, "start_after": SPREAD}),
    (20_000, {"created_on": SPREAD, "start_after": "now() + n * interval '1 second'"}),
)
# An event stream ends when its listener goes.
STREAMS = {"/api/events", "/api/jobs/{id}/events"}

# Nothing is said of what to preview, the queue is in no order by key, and there is no such schedule.
REFUSED = {"/api/schedules/preview", "/api/blocked-keys/mail"}


def addresses(id: str) -> Iterator[tuple[str, str]]:
    """Method and path of every page and of every read of the API, on a job and a queue that are there."""
    nobody = filled("{id}")
    ids = dict.fromkeys(("failed", "completed", "flow", "dead letter"), id)
    for address in pages():
        yield "GET", at(address, ids, queue="mail", cause="no document <n>")
    for method, path in reads():
        if path not in STREAMS:
            # A redrive is of dead letters.
            yield (
                method.upper(),
                filled(path).replace(nobody, id).replace("redrive-preview/mail", "redrive-preview/dead"),
            )


@pytest.mark.prove
@pytest.mark.timeout(900)
async def test_every_page_comes_at_once(make_boss: BossFactory, database_url: str) -> None:
    boss = await make_boss()
    with SyncPgBoss(database_url, pool_size=1) as client:
        for name in ("mail", "post", "own", "dead"):
            client.create_queue(name, partition=name == "own")
        client.schedule("mail", "0 6 * * *")
        client.schedule("mail", "0 6 * * *", key="news")
    for name in ("mail", "post", "own"):
        for number, columns in PARTS:
            fill(database_url, name, number, **columns)
    fill(database_url, "dead", 50_000, source_name="'mail'", source_id="gen_random_uuid()")
    [some] = sql(database_url, "SELECT id::text FROM pgboss.job WHERE name = 'mail' AND state = 'failed' LIMIT 1")
    await boss.supervise()
    slow = []
    async with calling(app(boss)) as http:
        for method, path in addresses(some["id"]):
            seconds = await _seconds(http, method, path)
            if seconds > MOST_SECONDS:
                slow.append(f"{method} {path}: {seconds:.3f} s")
    assert not slow, "\n".join(slow)


async def _seconds(http: httpx.AsyncClient, method: str, path: str) -> float:
    """The least of three times: other processes come in between."""
    times = []
    for _ in range(3):
        began = perf_counter()
        answer = await http.request(method, path, json=None if method == "GET" else {})
        times.append(perf_counter() - began)
        assert answer.status_code < 400 or path in REFUSED, (path, answer.text)
    return min(times)
