"""Every statement that reads or changes rows, one topic a file; a function returns one ``Query``.

Nothing here talks to a database or decides anything: operations do the deciding, drivers the talking. Values are
always bound; only identifiers made by ``core.names`` are spliced. Job states stay literal, because with a bound
state a generic plan could not use the partial indexes.
"""
