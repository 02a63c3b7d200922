"""The platform's settings, from the environment or ``.env``."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

EXAMPLES = Path(__file__).resolve().parent.parent


class PipelineSettings(BaseSettings):
    """What the environment says. An empty variable counts as unset.

    Attributes:
        database_url: the PostgreSQL of the queue and of the platform's tables; unset, the demo brings its own.
        documents_root: files outside of this folder are never read, whatever a job asks for.
        openai_api_key: set, embeddings and analyses come from an OpenAI-compatible server; unset, they are local.
        openai_base_url: that server, when it is not OpenAI's.
        openai_model: the chat model that analyses.
        openai_embedding_model: the model that embeds.
        openai_embedding_dimensions: the length of its vectors, for models that offer a choice.
        neo4j_uri: set, the graph lives in this Neo4j; unset, in an embedded database.
        graph_path: the embedded graph database's file.
    """

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: str | None = None
    documents_root: Path = EXAMPLES / "documents"
    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    openai_model: str = "gpt-4.1-mini"
    openai_embedding_model: str = "text-embedding-3-small"
    openai_embedding_dimensions: int | None = None
    neo4j_uri: str | None = None
    neo4j_user: str = "neo4j"
    neo4j_password: SecretStr = SecretStr("")
    neo4j_database: str | None = None
    graph_path: Path = Path(".demo/graph.lbug")
