"""The schema in the database: our DDL, what is expected of it, and how a live one compares.

``ddl/`` holds the ``.sql`` files and ``texts`` puts them together; ``plans`` makes scripts of them. ``manifest`` is
the expected catalog, ``presence`` and ``reading`` ask a live one, ``checks`` says what stands in the way of using it,
and the two ``compare_…`` modules with ``mending`` find what differs and the DDL against it. Texts and comparisons only:
the stories that run them are in ``operations/install`` and ``operations/drift``.
"""
