-- raise_counts
WITH spans AS MATERIALIZED (
    SELECT s.id, s.captured_on, s.name, s.delta_on AS span_end,
           COALESCE(lag(s.delta_on) OVER (PARTITION BY s.name ORDER BY s.delta_on, s.captured_on), b.beginning)
               AS span_start
      FROM "pgboss"."queue" q
     CROSS JOIN LATERAL (SELECT CASE WHEN r.undeleted IS NOT NULL THEN GREATEST(r.settled, r.undeleted) END AS beginning
                 FROM (SELECT COALESCE(
                                  max(s.delta_on)
                                      FILTER (WHERE s.delta_on <= "pgboss".job_now() - interval '1 hour' OR s.delta_seconds IS NULL),
                                  min(s.delta_on)) AS settled,
                              min(s.delta_on) FILTER (WHERE s.delta_on >= "pgboss".job_now() - LEAST(NULLIF(q.deletion_seconds, 0), q.retention_seconds) * interval '1 second') AS undeleted
                         FROM "pgboss"."queue_stats" s
                        WHERE s.name = q.name AND s.captured_on >= "pgboss".job_now() - 2 * interval '1 hour' AND s.delta_on IS NOT NULL) r) b
      JOIN "pgboss"."queue_stats" s ON s.name = q.name AND s.captured_on >= "pgboss".job_now() - 2 * interval '1 hour' AND s.delta_on IS NOT NULL AND s.delta_on > b.beginning
     WHERE q.name = ANY($1::text[])
), recount AS MATERIALIZED (
    SELECT w.id, w.captured_on, arrived.created, ended.completed, ended.failed
      FROM spans w
     CROSS JOIN LATERAL (
           SELECT count(*)::int AS created
             FROM "pgboss"."mail" j
            WHERE j.name = w.name AND j.created_on >= w.span_start AND j.created_on < w.span_end) arrived
     CROSS JOIN LATERAL (
           SELECT (count(*) FILTER (WHERE j.state = 'completed'))::int AS completed,
                  (count(*) FILTER (WHERE j.state = 'failed'))::int AS failed
             FROM "pgboss"."mail" j
            WHERE j.name = w.name AND j.completed_on >= w.span_start AND j.completed_on < w.span_end) ended
), raised AS (
    UPDATE "pgboss"."queue_stats" s
       SET created_delta = GREATEST(s.created_delta, r.created),
           completed_delta = GREATEST(s.completed_delta, r.completed),
           failed_delta = GREATEST(s.failed_delta, r.failed)
      FROM recount r
     WHERE s.id = r.id AND s.captured_on = r.captured_on
       AND (r.created > s.created_delta OR r.completed > s.completed_delta OR r.failed > s.failed_delta)
    RETURNING 1
)
SELECT (SELECT count(*) FROM raised)::int AS raised, extract(epoch FROM clock_timestamp() - statement_timestamp())::float8 AS pin_seconds
