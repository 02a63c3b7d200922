"""The database of both sides: where their clock stands, chance without surprises, and the way back to the start."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["BASE", "NODE_SIDE", "OUR_SIDE", "connection_settings", "install", "keep_queues", "step_statement"]

NODE_SIDE = "node_side"
OUR_SIDE = "our_side"
BASE = datetime(2031, 3, 5, 7, 0, 0, tzinfo=UTC)
"""When every script begins."""

SHARED = """
CREATE SCHEMA even;

CREATE SEQUENCE even.draws;

-- Half of everything: backoff then has one delay for each attempt.
CREATE FUNCTION even.random() RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT 0.5::float8';

-- Ids grow with time on both sides, so that whatever is ordered by id is ordered alike.
CREATE FUNCTION even.gen_random_uuid() RETURNS uuid LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    milliseconds bigint;
BEGIN
    EXECUTE format('SELECT extract(epoch FROM now - $1) * 1000 FROM even.%s_clock', current_setting('even.side'))
       INTO milliseconds USING timestamptz '{base}';
    RETURN (lpad(to_hex(milliseconds), 12, '0') || '40008000' || lpad(to_hex(nextval('even.draws')), 12, '0'))::uuid;
END $$;
"""

SIDE = """
CREATE TABLE even.{side}_clock (now timestamptz NOT NULL);
INSERT INTO even.{side}_clock VALUES ('{base}');

-- What every id stands for: its queue and when it was made. Kept for as long as a script runs, also of deleted jobs.
CREATE TABLE even.{side}_ids (id uuid PRIMARY KEY, label text NOT NULL);

CREATE OR REPLACE FUNCTION {side}.job_now() RETURNS timestamptz LANGUAGE sql STABLE
    AS 'SELECT now FROM even.{side}_clock';

-- Partitions made later copy the default of their parent.
ALTER TABLE {side}.job ALTER COLUMN id SET DEFAULT even.gen_random_uuid();
ALTER TABLE {side}.job_common ALTER COLUMN id SET DEFAULT even.gen_random_uuid();

CREATE FUNCTION even.{side}_step(next timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    this timestamptz := (SELECT now FROM even.{side}_clock);
BEGIN
    UPDATE {side}.job j
       SET created_on = j.created_on + made.place * interval '1 microsecond'
      FROM (SELECT t.name, t.id,
                   row_number() OVER (
                       PARTITION BY t.name
                       ORDER BY t.data::text, t.singleton_key, s.label, t.source_retry_count, t.start_after, t.id
                   ) - 1 AS place
              FROM {side}.job t
              LEFT JOIN even.{side}_ids s ON s.id = COALESCE(t.source_id, t.source_root_id)
             WHERE t.created_on = this) made
     WHERE made.place > 0 AND j.name = made.name AND j.id = made.id;

    INSERT INTO even.{side}_ids (id, label)
    SELECT id, format('%s @ %s', name, extract(epoch FROM created_on - timestamptz '{base}')::numeric(20, 6))
      FROM {side}.job
     WHERE created_on >= this AND created_on < this + interval '1 millisecond'
        ON CONFLICT DO NOTHING;

    UPDATE even.{side}_clock SET now = next;
END $$;

CREATE FUNCTION even.{side}_reset() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM {side}.job;
    DELETE FROM {side}.job_dependency;
    DELETE FROM {side}.schedule;
    DELETE FROM {side}.subscription;
    DELETE FROM {side}.warning;
    DELETE FROM {side}.queue_stats;
    DELETE FROM even.{side}_ids;
    UPDATE {side}.version
       SET cron_on = NULL, bam_on = NULL, flow_on = NULL, reindex_on = NULL, monitor_backoff_on = NULL;
    UPDATE even.{side}_clock SET now = '{base}';
END $$;
"""

# The queues that are there at the beginning of every script, as they are at this moment.
KEEP = """
CREATE TABLE even.{side}_queue AS SELECT * FROM {side}.queue;

CREATE FUNCTION even.{side}_restore_queues() RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    UPDATE {side}.queue q SET ({columns}) = (SELECT {columns} FROM even.{side}_queue k WHERE k.name = q.name)
     WHERE EXISTS (SELECT FROM even.{side}_queue k WHERE k.name = q.name AND k IS DISTINCT FROM q);
    UPDATE {side}.queue q SET dead_letter = NULL
     WHERE dead_letter IS NOT NULL AND NOT EXISTS (SELECT FROM even.{side}_queue k WHERE k.name = q.name);
    RETURN QUERY
    SELECT q.name FROM {side}.queue q WHERE NOT EXISTS (SELECT FROM even.{side}_queue k WHERE k.name = q.name);
END $$;
"""


def connection_settings(side: str) -> str:
    """libpq's ``options`` for all sessions of a side: what it is, and whose ``random()`` it calls."""
    return f"-c even.side={side} -c search_path=even,pg_catalog -c synchronous_commit=off"


def install() -> str:
    """The text that puts both sides, whose schemas are installed, on clocks of their own."""
    return SHARED.format(base=BASE.isoformat()) + "".join(
        SIDE.format(side=side, base=BASE.isoformat()) for side in (NODE_SIDE, OUR_SIDE)
    )


def keep_queues(side: str, columns: str) -> str:
    """The text that makes the queues as they are now the ones that every script begins with."""
    return KEEP.format(side=side, columns=columns)


def step_statement(side: str) -> str:
    """The statement between two steps, whose one parameter is the instant of the next."""
    return f"SELECT even.{side}_step($1::timestamptz)"
