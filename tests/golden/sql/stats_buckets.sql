-- by_points: as little as possible
WITH width AS MATERIALIZED (
    SELECT GREATEST(1, ceil(extract(epoch FROM LEAST(COALESCE($3::timestamptz, last), last)
                                               - GREATEST(COALESCE($2::timestamptz, first), first))::float8
                            / $5::int)) AS seconds
      FROM (SELECT min(captured_on) AS first, max(captured_on) AS last
              FROM "pgboss"."queue_stats"
             WHERE name = $1::text) recorded
), counted AS MATERIALIZED (
    SELECT to_timestamp(floor(extract(epoch FROM s.captured_on)::float8 / width.seconds) * width.seconds) AS bucket, max(s.deferred_count) AS deferred_count, max(s.queued_count) AS queued_count, max(s.ready_count) AS ready_count, max(s.active_count) AS active_count, max(s.failed_count) AS failed_count, max(s.total_count) AS total_count
      FROM "pgboss"."queue_stats" s, width
     WHERE s.name = $1::text
   AND ($2::timestamptz IS NULL OR s.captured_on >= $2::timestamptz)
   AND ($3::timestamptz IS NULL OR s.captured_on <= $3::timestamptz)
     GROUP BY 1
), passes AS MATERIALIZED (
    SELECT to_timestamp(floor(extract(epoch FROM s.delta_on)::float8 / width.seconds) * width.seconds) AS bucket, s.created_delta, s.completed_delta, s.failed_delta, s.delta_seconds,
           s.delta_on, s.ready_oldest_seconds, s.wait_bins, s.run_bins
      FROM "pgboss"."queue_stats" s, width
     WHERE s.delta_on IS NOT NULL AND s.name = $1::text
   AND ($2::timestamptz IS NULL OR s.delta_on >= $2::timestamptz)
   AND ($3::timestamptz IS NULL OR s.delta_on <= $3::timestamptz)
), places AS (
    SELECT bucket, COALESCE(max(counted_bucket) OVER (ORDER BY bucket), min(counted_bucket) OVER ()) AS place
      FROM (SELECT bucket, bucket AS counted_bucket FROM counted
            UNION ALL SELECT DISTINCT bucket, NULL::timestamptz FROM passes) known
), placed AS MATERIALIZED (
    SELECT l.place, p.*
      FROM passes p
      JOIN (SELECT DISTINCT bucket, place FROM places WHERE place IS NOT NULL) l ON l.bucket = p.bucket
), happened AS (
    SELECT place, sum(created_delta)::int AS created_delta, sum(completed_delta)::int AS completed_delta, sum(failed_delta)::int AS failed_delta, sum(delta_seconds)::int AS delta_seconds, max(delta_on) AS delta_on, max(ready_oldest_seconds) AS ready_oldest_seconds
      FROM placed
     GROUP BY place
), histograms AS (
    SELECT place, array_agg(waited ORDER BY slot) AS wait_bins, array_agg(ran ORDER BY slot) AS run_bins
      FROM (SELECT place, slot, COALESCE(sum(waited), 0)::int AS waited, COALESCE(sum(ran), 0)::int AS ran
              FROM placed, unnest(wait_bins, run_bins) WITH ORDINALITY u(waited, ran, slot)
             WHERE wait_bins IS NOT NULL
             GROUP BY place, slot) slots
     GROUP BY place
)
SELECT $1::text AS name, c.deferred_count, c.queued_count, c.ready_count, c.active_count, c.failed_count, c.total_count, c.bucket AS captured_on,
       h.created_delta, h.completed_delta, h.failed_delta, h.delta_seconds, h.delta_on, h.ready_oldest_seconds,
       b.wait_bins, b.run_bins
  FROM counted c
  LEFT JOIN happened h ON h.place = c.bucket
  LEFT JOIN histograms b ON b.place = c.bucket
 ORDER BY c.bucket DESC
 LIMIT LEAST($4::int, $5::int)

-- by_points: with everything
WITH width AS MATERIALIZED (
    SELECT GREATEST(1, ceil(extract(epoch FROM LEAST(COALESCE($3::timestamptz, last), last)
                                               - GREATEST(COALESCE($2::timestamptz, first), first))::float8
                            / $5::int)) AS seconds
      FROM (SELECT min(captured_on) AS first, max(captured_on) AS last
              FROM "pgboss"."queue_stats"
             WHERE name = $1::text) recorded
), counted AS MATERIALIZED (
    SELECT to_timestamp(floor(extract(epoch FROM s.captured_on)::float8 / width.seconds) * width.seconds) AS bucket, round(avg(s.deferred_count))::int AS deferred_count, round(avg(s.queued_count))::int AS queued_count, round(avg(s.ready_count))::int AS ready_count, round(avg(s.active_count))::int AS active_count, round(avg(s.failed_count))::int AS failed_count, round(avg(s.total_count))::int AS total_count
      FROM "pgboss"."queue_stats" s, width
     WHERE s.name = $1::text
   AND ($2::timestamptz IS NULL OR s.captured_on >= $2::timestamptz)
   AND ($3::timestamptz IS NULL OR s.captured_on <= $3::timestamptz)
     GROUP BY 1
), passes AS MATERIALIZED (
    SELECT to_timestamp(floor(extract(epoch FROM s.delta_on)::float8 / width.seconds) * width.seconds) AS bucket, s.created_delta, s.completed_delta, s.failed_delta, s.delta_seconds,
           s.delta_on, s.ready_oldest_seconds, s.wait_bins, s.run_bins
      FROM "pgboss"."queue_stats" s, width
     WHERE s.delta_on IS NOT NULL AND s.name = $1::text
   AND ($2::timestamptz IS NULL OR s.delta_on >= $2::timestamptz)
   AND ($3::timestamptz IS NULL OR s.delta_on <= $3::timestamptz)
), places AS (
    SELECT bucket, COALESCE(max(counted_bucket) OVER (ORDER BY bucket), min(counted_bucket) OVER ()) AS place
      FROM (SELECT bucket, bucket AS counted_bucket FROM counted
            UNION ALL SELECT DISTINCT bucket, NULL::timestamptz FROM passes) known
), placed AS MATERIALIZED (
    SELECT l.place, p.*
      FROM passes p
      JOIN (SELECT DISTINCT bucket, place FROM places WHERE place IS NOT NULL) l ON l.bucket = p.bucket
), happened AS (
    SELECT place, sum(created_delta)::int AS created_delta, sum(completed_delta)::int AS completed_delta, sum(failed_delta)::int AS failed_delta, sum(delta_seconds)::int AS delta_seconds, max(delta_on) AS delta_on, max(ready_oldest_seconds) AS ready_oldest_seconds
      FROM placed
     GROUP BY place
), histograms AS (
    SELECT place, array_agg(waited ORDER BY slot) AS wait_bins, array_agg(ran ORDER BY slot) AS run_bins
      FROM (SELECT place, slot, COALESCE(sum(waited), 0)::int AS waited, COALESCE(sum(ran), 0)::int AS ran
              FROM placed, unnest(wait_bins, run_bins) WITH ORDINALITY u(waited, ran, slot)
             WHERE wait_bins IS NOT NULL
             GROUP BY place, slot) slots
     GROUP BY place
)
SELECT $1::text AS name, c.deferred_count, c.queued_count, c.ready_count, c.active_count, c.failed_count, c.total_count, c.bucket AS captured_on,
       h.created_delta, h.completed_delta, h.failed_delta, h.delta_seconds, h.delta_on, h.ready_oldest_seconds,
       b.wait_bins, b.run_bins
  FROM counted c
  LEFT JOIN happened h ON h.place = c.bucket
  LEFT JOIN histograms b ON b.place = c.bucket
 ORDER BY c.bucket DESC
 LIMIT LEAST($4::int, $5::int)

-- by_width: as little as possible
WITH width AS MATERIALIZED (SELECT $5::float8 AS seconds
), counted AS MATERIALIZED (
    SELECT to_timestamp(floor(extract(epoch FROM s.captured_on)::float8 / width.seconds) * width.seconds) AS bucket, max(s.deferred_count) AS deferred_count, max(s.queued_count) AS queued_count, max(s.ready_count) AS ready_count, max(s.active_count) AS active_count, max(s.failed_count) AS failed_count, max(s.total_count) AS total_count
      FROM "pgboss"."queue_stats" s, width
     WHERE s.name = $1::text
   AND ($2::timestamptz IS NULL OR s.captured_on >= $2::timestamptz)
   AND ($3::timestamptz IS NULL OR s.captured_on <= $3::timestamptz)
     GROUP BY 1
), passes AS MATERIALIZED (
    SELECT to_timestamp(floor(extract(epoch FROM s.delta_on)::float8 / width.seconds) * width.seconds) AS bucket, s.created_delta, s.completed_delta, s.failed_delta, s.delta_seconds,
           s.delta_on, s.ready_oldest_seconds, s.wait_bins, s.run_bins
      FROM "pgboss"."queue_stats" s, width
     WHERE s.delta_on IS NOT NULL AND s.name = $1::text
   AND ($2::timestamptz IS NULL OR s.delta_on >= $2::timestamptz)
   AND ($3::timestamptz IS NULL OR s.delta_on <= $3::timestamptz)
), places AS (
    SELECT bucket, COALESCE(max(counted_bucket) OVER (ORDER BY bucket), min(counted_bucket) OVER ()) AS place
      FROM (SELECT bucket, bucket AS counted_bucket FROM counted
            UNION ALL SELECT DISTINCT bucket, NULL::timestamptz FROM passes) known
), placed AS MATERIALIZED (
    SELECT l.place, p.*
      FROM passes p
      JOIN (SELECT DISTINCT bucket, place FROM places WHERE place IS NOT NULL) l ON l.bucket = p.bucket
), happened AS (
    SELECT place, sum(created_delta)::int AS created_delta, sum(completed_delta)::int AS completed_delta, sum(failed_delta)::int AS failed_delta, sum(delta_seconds)::int AS delta_seconds, max(delta_on) AS delta_on, max(ready_oldest_seconds) AS ready_oldest_seconds
      FROM placed
     GROUP BY place
), histograms AS (
    SELECT place, array_agg(waited ORDER BY slot) AS wait_bins, array_agg(ran ORDER BY slot) AS run_bins
      FROM (SELECT place, slot, COALESCE(sum(waited), 0)::int AS waited, COALESCE(sum(ran), 0)::int AS ran
              FROM placed, unnest(wait_bins, run_bins) WITH ORDINALITY u(waited, ran, slot)
             WHERE wait_bins IS NOT NULL
             GROUP BY place, slot) slots
     GROUP BY place
)
SELECT $1::text AS name, c.deferred_count, c.queued_count, c.ready_count, c.active_count, c.failed_count, c.total_count, c.bucket AS captured_on,
       h.created_delta, h.completed_delta, h.failed_delta, h.delta_seconds, h.delta_on, h.ready_oldest_seconds,
       b.wait_bins, b.run_bins
  FROM counted c
  LEFT JOIN happened h ON h.place = c.bucket
  LEFT JOIN histograms b ON b.place = c.bucket
 ORDER BY c.bucket DESC
 LIMIT $4::int

-- by_width: with everything
WITH width AS MATERIALIZED (SELECT $5::float8 AS seconds
), counted AS MATERIALIZED (
    SELECT to_timestamp(floor(extract(epoch FROM s.captured_on)::float8 / width.seconds) * width.seconds) AS bucket, round(avg(s.deferred_count))::int AS deferred_count, round(avg(s.queued_count))::int AS queued_count, round(avg(s.ready_count))::int AS ready_count, round(avg(s.active_count))::int AS active_count, round(avg(s.failed_count))::int AS failed_count, round(avg(s.total_count))::int AS total_count
      FROM "pgboss"."queue_stats" s, width
     WHERE s.name = $1::text
   AND ($2::timestamptz IS NULL OR s.captured_on >= $2::timestamptz)
   AND ($3::timestamptz IS NULL OR s.captured_on <= $3::timestamptz)
     GROUP BY 1
), passes AS MATERIALIZED (
    SELECT to_timestamp(floor(extract(epoch FROM s.delta_on)::float8 / width.seconds) * width.seconds) AS bucket, s.created_delta, s.completed_delta, s.failed_delta, s.delta_seconds,
           s.delta_on, s.ready_oldest_seconds, s.wait_bins, s.run_bins
      FROM "pgboss"."queue_stats" s, width
     WHERE s.delta_on IS NOT NULL AND s.name = $1::text
   AND ($2::timestamptz IS NULL OR s.delta_on >= $2::timestamptz)
   AND ($3::timestamptz IS NULL OR s.delta_on <= $3::timestamptz)
), places AS (
    SELECT bucket, COALESCE(max(counted_bucket) OVER (ORDER BY bucket), min(counted_bucket) OVER ()) AS place
      FROM (SELECT bucket, bucket AS counted_bucket FROM counted
            UNION ALL SELECT DISTINCT bucket, NULL::timestamptz FROM passes) known
), placed AS MATERIALIZED (
    SELECT l.place, p.*
      FROM passes p
      JOIN (SELECT DISTINCT bucket, place FROM places WHERE place IS NOT NULL) l ON l.bucket = p.bucket
), happened AS (
    SELECT place, sum(created_delta)::int AS created_delta, sum(completed_delta)::int AS completed_delta, sum(failed_delta)::int AS failed_delta, sum(delta_seconds)::int AS delta_seconds, max(delta_on) AS delta_on, max(ready_oldest_seconds) AS ready_oldest_seconds
      FROM placed
     GROUP BY place
), histograms AS (
    SELECT place, array_agg(waited ORDER BY slot) AS wait_bins, array_agg(ran ORDER BY slot) AS run_bins
      FROM (SELECT place, slot, COALESCE(sum(waited), 0)::int AS waited, COALESCE(sum(ran), 0)::int AS ran
              FROM placed, unnest(wait_bins, run_bins) WITH ORDINALITY u(waited, ran, slot)
             WHERE wait_bins IS NOT NULL
             GROUP BY place, slot) slots
     GROUP BY place
)
SELECT $1::text AS name, c.deferred_count, c.queued_count, c.ready_count, c.active_count, c.failed_count, c.total_count, c.bucket AS captured_on,
       h.created_delta, h.completed_delta, h.failed_delta, h.delta_seconds, h.delta_on, h.ready_oldest_seconds,
       b.wait_bins, b.run_bins
  FROM counted c
  LEFT JOIN happened h ON h.place = c.bucket
  LEFT JOIN histograms b ON b.place = c.bucket
 ORDER BY c.bucket DESC
 LIMIT $4::int
