-- Partitions for today and tomorrow, by the calendar of UTC. The bounds carry their offset, because a bare date
-- would be read in the time zone of whichever session happens to run this.
DO $days$
DECLARE
  today date := ({{schema}}.job_now() AT TIME ZONE 'UTC')::date;
  day date;
BEGIN
  FOREACH day IN ARRAY ARRAY[today, today + 1] LOOP
    EXECUTE format(
      'CREATE TABLE IF NOT EXISTS {{schema}}.%I PARTITION OF {{schema}}.queue_stats FOR VALUES FROM (%L) TO (%L)',
      to_char(day, '"queue_stats_"YYYYMMDD'),
      to_char(day, 'YYYY-MM-DD "00:00:00+00"'),
      to_char(day + 1, 'YYYY-MM-DD "00:00:00+00"')
    );
  END LOOP;
END
$days$;
