-- walk_by_key
SELECT current_setting('enable_sort') AS enable_sort, current_setting('jit') AS jit, set_config('enable_sort', 'off', true), set_config('jit', 'off', true)

-- walk_ends
SELECT set_config('enable_sort', $1::text, true), set_config('jit', $2::text, true)
