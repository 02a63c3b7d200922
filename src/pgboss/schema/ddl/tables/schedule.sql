CREATE TABLE {{schema}}.schedule (
  name                  text REFERENCES {{schema}}.queue (name) ON DELETE CASCADE,
  key                   text NOT NULL DEFAULT '',
  kind                  text NOT NULL DEFAULT 'cron' CHECK (kind IN ('cron', 'rrule')),
  cron                  text NOT NULL,
  timezone              text DEFAULT 'UTC',
  data                  jsonb,
  options               jsonb,
  created_on            timestamptz NOT NULL DEFAULT now(),
  updated_on            timestamptz NOT NULL DEFAULT now(),
  last_job_id           uuid,
  PRIMARY KEY (name, key)
);
