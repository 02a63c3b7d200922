-- Snapshots of every queue's figures, a partition a day so that old ones go by DROP TABLE.
CREATE TABLE {{schema}}.queue_stats (
  id                    uuid NOT NULL DEFAULT gen_random_uuid(),
  name                  text NOT NULL,
  deferred_count        integer NOT NULL DEFAULT 0,
  queued_count          integer NOT NULL DEFAULT 0,
  ready_count           integer NOT NULL DEFAULT 0,
  active_count          integer NOT NULL DEFAULT 0,
  failed_count          integer NOT NULL DEFAULT 0,
  total_count           integer NOT NULL DEFAULT 0,
  created_delta         integer,
  completed_delta       integer,
  failed_delta          integer,
  delta_seconds         integer,
  delta_on              timestamptz,
  wait_bins             integer[],
  run_bins              integer[],
  ready_oldest_seconds  integer,
  captured_on           timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (id, captured_on)
) PARTITION BY RANGE (captured_on);

CREATE INDEX queue_stats_i1 ON {{schema}}.queue_stats (name, captured_on DESC)
  INCLUDE (deferred_count, queued_count, ready_count, active_count, failed_count, total_count);
