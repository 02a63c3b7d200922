-- DDL that is run in the background, a row a command: index builds that a migration put off.
CREATE TABLE {{schema}}.bam (
  id                    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name                  text NOT NULL,
  version               integer NOT NULL,
  status                text NOT NULL DEFAULT 'pending',
  queue                 text,
  table_name            text NOT NULL,
  command               text NOT NULL,
  error                 text,
  created_on            timestamptz NOT NULL DEFAULT clock_timestamp(),
  started_on            timestamptz,
  completed_on          timestamptz
);
