CREATE TABLE {{schema}}.warning (
  id                    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  type                  text NOT NULL,
  message               text NOT NULL,
  data                  jsonb,
  created_on            timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX warning_i1 ON {{schema}}.warning (created_on DESC);
