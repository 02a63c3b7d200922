-- Which job waits for which. No foreign keys: either side may lie in any partition, and goes by retention.
CREATE TABLE {{schema}}.job_dependency (
  child_name            text NOT NULL,
  child_id              uuid NOT NULL,
  parent_name           text NOT NULL,
  parent_id             uuid NOT NULL,
  PRIMARY KEY (child_name, child_id, parent_name, parent_id)
);

CREATE INDEX job_dep_parent_idx ON {{schema}}.job_dependency (parent_name, parent_id);
