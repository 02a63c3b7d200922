"""The graph in a Neo4j server."""

from __future__ import annotations

from typing import Any

import neo4j
from neo4j.exceptions import DriverError, Neo4jError

from document_pipeline.graph import GraphError

NEO4J_SECONDS = 5
"""How long the driver repeats a transaction that failed in passing."""


class Neo4jCypher:
    """Neo4j, over the network."""

    one_writer = False
    CONSTRAINTS = (
        "CREATE CONSTRAINT document_id IF NOT EXISTS FOR (d:Document) REQUIRE d.id IS UNIQUE",
        "CREATE CONSTRAINT entity_id IF NOT EXISTS FOR (e:Entity) REQUIRE e.id IS UNIQUE",
    )

    def __init__(self, uri: str, user: str, password: str, database: str | None = None) -> None:
        """Connect.

        Raises:
            GraphError: the server cannot be reached, or refuses us.
        """
        self.name = f"Neo4j ({uri})"
        # A job that fails is tried again anyway.
        self._driver = neo4j.GraphDatabase.driver(uri, auth=(user, password), max_transaction_retry_time=NEO4J_SECONDS)
        self._database = database
        try:
            self._driver.verify_connectivity()
            for statement in self.CONSTRAINTS:
                self.run(statement, {})
        except (DriverError, Neo4jError) as error:
            self._driver.close()
            raise GraphError(f"Neo4j at {uri} cannot be used: {error}") from error

    def run(self, statement: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        records, _, _ = self._driver.execute_query(statement, parameters, database_=self._database)
        return [record.data() for record in records]

    def close(self) -> None:
        self._driver.close()
