-- limit
SELECT set_config(s.name, LEAST(NULLIF(s.setting::bigint, 0), $1::bigint)::text, true)
  FROM pg_catalog.pg_settings s
 WHERE s.name = CASE WHEN current_setting('server_version_num')::int >= 170000
                     THEN 'transaction_timeout' ELSE 'idle_in_transaction_session_timeout' END

-- limit_statements
SELECT set_config('statement_timeout', $1::text, true),
       set_config('transaction_read_only', $2::text, true)
