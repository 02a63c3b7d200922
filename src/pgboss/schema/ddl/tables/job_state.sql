-- The order counts: `state < 'active'` means waiting, `state > 'active'` means over.
CREATE TYPE {{schema}}.job_state AS ENUM ('created', 'retry', 'active', 'completed', 'cancelled', 'failed');
