"""The only code that touches a connection.

``runner`` drives operations over any session; one module a driver says how its connections run a statement, open a
transaction and set a savepoint, and turns its exceptions into :class:`pgboss.errors.DatabaseError`.
"""
