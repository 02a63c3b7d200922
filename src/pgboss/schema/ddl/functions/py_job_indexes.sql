-- What a job table carries beyond its columns and keys, in one list for the shared table and for the partitions.
-- A NULL policy stands for every queue; any other part serves queues of that policy only. Number 5 is retired.
CREATE OR REPLACE FUNCTION {{schema}}.py_job_indexes()
  RETURNS TABLE (number integer, policy text, kind text, definition text)
  LANGUAGE sql IMMUTABLE
AS $body$
  VALUES
    (1, 'short', 'UNIQUE INDEX',
      $$(name, COALESCE(singleton_key, '')) WHERE state = 'created' AND policy = 'short'$$),
    (2, 'singleton', 'UNIQUE INDEX',
      $$(name, COALESCE(singleton_key, '')) WHERE state = 'active' AND policy = 'singleton'$$),
    (3, 'stately', 'UNIQUE INDEX',
      $$(name, state, COALESCE(singleton_key, '')) WHERE state <= 'active' AND policy = 'stately'$$),
    (4, NULL, 'UNIQUE INDEX',
      $$(name, singleton_on, COALESCE(singleton_key, '')) WHERE state <> 'cancelled' AND singleton_on IS NOT NULL$$),
    (6, 'exclusive', 'UNIQUE INDEX',
      $$(name, COALESCE(singleton_key, '')) WHERE state <= 'active' AND policy = 'exclusive'$$),
    (7, NULL, 'INDEX',
      $$(name, group_id) WHERE state = 'active' AND group_id IS NOT NULL$$),
    (8, 'key_strict_fifo', 'UNIQUE INDEX',
      $$(name, singleton_key) WHERE state IN ('active', 'retry', 'failed') AND policy = 'key_strict_fifo'$$),
    (9, NULL, 'INDEX',
      $$(name, id) WHERE blocking AND state = 'completed'$$),
    (10, 'key_strict_fifo', 'INDEX',
      $$(name, singleton_key, state DESC, created_on, id) INCLUDE (start_after)
        WHERE state < 'active' AND NOT blocked AND policy = 'key_strict_fifo'$$),
    (11, NULL, 'INDEX',
      $$(name, priority DESC, created_on, start_after) WHERE state < 'active' AND NOT blocked$$),
    (12, NULL, 'INDEX',
      $$(source_root_id) WHERE source_root_id IS NOT NULL$$),
    (13, NULL, 'UNIQUE INDEX',
      $$(name, singleton_key) WHERE state = 'created' AND upsert_by_key$$),
    (14, NULL, 'INDEX',
      $$(name, state, blocked, start_after) WHERE state IN ('created', 'retry', 'active', 'failed')$$),
    (15, NULL, 'INDEX',
      $$(name, created_on)$$),
    (16, NULL, 'INDEX',
      $$(name, completed_on) WHERE completed_on IS NOT NULL$$),
    (17, NULL, 'INDEX',
      $$(name, singleton_key, created_on) WHERE state < 'active' AND singleton_key IS NOT NULL$$)
$body$;
