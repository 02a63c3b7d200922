CREATE TABLE {{schema}}.subscription (
  event                 text NOT NULL,
  name                  text NOT NULL REFERENCES {{schema}}.queue (name) ON DELETE CASCADE,
  created_on            timestamptz NOT NULL DEFAULT now(),
  updated_on            timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (event, name)
);
