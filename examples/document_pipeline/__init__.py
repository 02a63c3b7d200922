"""A document platform on pgboss: files become searchable passages, summaries and a knowledge graph.

    document-parse ─┬─ generate-embeddings ─┬─ update-graph
                    └─ analyze-document ────┘

``jobs`` and ``enqueue`` are what a program needs that only sends; they import none of the heavy libraries. ``register``
puts handlers to the job types, ``services`` holds what the handlers share, ``demo`` runs it all over a folder.
"""
