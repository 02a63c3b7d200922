-- One row: the version of the schema, and when each cluster-wide duty was last claimed.
CREATE TABLE {{schema}}.version (
  version               integer PRIMARY KEY,
  cron_on               timestamptz,
  bam_on                timestamptz,
  flow_on               timestamptz,
  reindex_on            timestamptz,
  monitor_backoff_on    timestamptz
);
