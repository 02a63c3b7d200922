"""The history of a job over dead letters and redrives, its last attempt, and the flow around it."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from pgboss import FlowJob, PgBoss
from pgboss.core.flow import DependencyRef
from pgboss.insights.flow_graph import FlowEdge, FlowGraph, flow_graph
from pgboss.insights.lineage import Lineage, lineage
from support.operations import run_operation
from support.postgres import sql
from support.upkeep import SCHEMA


async def told(boss: PgBoss, url: str, id: UUID | None) -> Lineage:
    assert id is not None
    job = await boss.get_job(id)
    assert job is not None
    return run_operation(url, lineage(SCHEMA, job))


async def test_a_job_that_fails_comes_back_and_fails_again(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("dead")
    await boss.create_queue("mail", retry_limit=1, retry_delay=0, dead_letter="dead")
    first = await boss.send("mail")
    for turn in range(2):
        for _ in range(2):
            await boss.fail("mail", await boss.fetch("mail"), ValueError("no"))
        if not turn:
            await boss.redrive("dead")
    [letter] = await boss.find_jobs("dead")
    [_, second] = await boss.find_jobs("mail")
    for id in (first, second.id, letter.id):
        history = (await told(boss, database_url, id)).history
        assert [(one.kinship, one.job.name, one.job.id, one.job.state) for one in history] == [
            ("original", "mail", first, "failed"),
            ("redriven", "mail", second.id, "failed"),
            ("dead_letter", "dead", letter.id, "created"),
        ]


async def test_the_first_one_is_gone(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("dead")
    await boss.create_queue("mail", retry_limit=0, dead_letter="dead")
    first = await boss.send("mail")
    assert first is not None
    await boss.fail("mail", await boss.fetch("mail"))
    await boss.delete_job("mail", first)
    [letter] = await boss.find_jobs("dead")
    history = (await told(boss, database_url, letter.id)).history
    assert [(one.kinship, one.job.id) for one in history] == [("dead_letter", letter.id)]
    assert letter.source_id == first


async def test_the_last_attempt(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail", retry_limit=1, retry_delay=0)
    id = await boss.send("mail")
    assert (await told(boss, database_url, id)).attempt is None
    await boss.fail("mail", await boss.fetch("mail"), ValueError("no"))
    failed = (await told(boss, database_url, id)).attempt
    assert failed is not None
    assert (failed.number, failed.outcome, failed.output["message"]) == (1, "failed", "no")
    await boss.fetch("mail")
    running = (await told(boss, database_url, id)).attempt
    assert running is not None
    assert (running.number, running.outcome, running.ended_on) == (2, "active", None)


async def diamond(boss: PgBoss) -> dict[str, DependencyRef]:
    """a, then b and c, then d."""
    for queue in ("work", "other"):
        await boss.create_queue(queue)
    jobs = [
        FlowJob("a", "work"),
        FlowJob("b", "work", depends_on=["a"]),
        FlowJob("c", "other", depends_on=["a"]),
        FlowJob("d", "work", depends_on=["b", "c"]),
    ]
    ids = await boss.flow(jobs)
    return {job.ref: DependencyRef(job.name, ids[job.ref]) for job in jobs}


def graph_of(url: str, job: DependencyRef, most: int = 200) -> FlowGraph:
    return run_operation(url, flow_graph(SCHEMA, job, most=most))


async def test_those_beside_a_job_in_its_flow(boss: PgBoss, database_url: str) -> None:
    refs = await diamond(boss)
    about = await told(boss, database_url, refs["b"].id)
    assert [(one.name, one.id, one.job and one.job.state) for one in about.parents] == [
        ("work", refs["a"].id, "created")
    ]
    assert [one.id for one in about.children] == [refs["d"].id]


@pytest.mark.parametrize("start", "abcd")
async def test_a_flow_is_the_same_from_each_of_its_jobs(boss: PgBoss, database_url: str, start: str) -> None:
    refs = await diamond(boss)
    graph = graph_of(database_url, refs[start])
    assert {(node.name, node.id) for node in graph.nodes} == {(ref.name, ref.id) for ref in refs.values()}
    wanted = {FlowEdge(refs[parent], refs[child]) for parent, child in ("ab", "ac", "bd", "cd")}
    assert set(graph.edges) == wanted
    assert len(graph.edges) == len(wanted)
    assert graph.is_whole


async def test_a_job_whose_row_is_gone_keeps_its_place(boss: PgBoss, database_url: str) -> None:
    refs = await diamond(boss)
    sql(database_url, "DELETE FROM pgboss.job WHERE id = %s", [refs["a"].id])
    graph = graph_of(database_url, refs["d"])
    assert [node.id for node in graph.nodes if node.job is None] == [refs["a"].id]


async def test_a_large_flow_is_cut_and_says_so(boss: PgBoss, database_url: str) -> None:
    refs = await diamond(boss)
    graph = graph_of(database_url, refs["a"], most=3)
    shown = {DependencyRef(node.name, node.id) for node in graph.nodes}
    assert len(shown) == 3
    assert not graph.is_whole
    assert all({edge.parent, edge.child} <= shown for edge in graph.edges)


async def test_a_job_outside_of_any_flow_stands_alone(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail")
    id = await boss.send("mail")
    assert id is not None
    graph = graph_of(database_url, DependencyRef("mail", id))
    assert ([node.id for node in graph.nodes], list(graph.edges), graph.is_whole) == ([id], [], True)
    [gone] = graph_of(database_url, DependencyRef("mail", uuid4())).nodes
    assert gone.job is None
