"""Vectors for passages and questions: from an OpenAI-compatible server, or from WordLlama on this machine.

WordLlama is a table of word vectors that ships in its wheel: no download, no GPU, thousands of passages a second. It
knows similar words rather than similar thoughts; with a key the vectors are a good deal better.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from openai import AsyncOpenAI, Omit, OpenAIError, omit

from document_pipeline.settings import PipelineSettings

Vectors: TypeAlias = NDArray[np.float32]
"""One row a text."""

WORDLLAMA_CONFIG = "l2_supercat"
WORDLLAMA_DIMENSIONS = 256
OPENAI_BATCH = 128


class EmbeddingError(Exception):
    """Texts cannot be embedded; the message says why."""


class Embedder(Protocol):
    """Turns texts into vectors that are near one another when the texts mean the same.

    Attributes:
        model: names the vectors' space: only vectors of the same model can be compared.
    """

    model: str

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts, in their order.

        Raises:
            EmbeddingError: the model is not there, or gave no answer or another one than was asked for.
        """


class OpenAIEmbedder:
    """Embeds with a server that speaks OpenAI's API."""

    def __init__(self, client: AsyncOpenAI, model: str, dimensions: int | None = None) -> None:
        self._client = client
        self._openai_model = model
        self._dimensions: int | Omit = omit if dimensions is None else dimensions
        self.model = model if dimensions is None else f"{model}@{dimensions}"

    async def embed(self, texts: Sequence[str]) -> Vectors:
        batches = [texts[start : start + OPENAI_BATCH] for start in range(0, len(texts), OPENAI_BATCH)]
        return np.concatenate([await self._embed(batch) for batch in batches])

    async def _embed(self, texts: Sequence[str]) -> Vectors:
        try:
            answer = await self._client.embeddings.create(
                input=list(texts),
                model=self._openai_model,
                dimensions=self._dimensions,
                encoding_format="float",  # the client's default, base64, is not known to all compatible servers
            )
        except OpenAIError as error:
            raise EmbeddingError(f"{self._client.base_url} did not embed: {error}") from error
        rows = sorted(answer.data, key=lambda row: row.index)
        if len(rows) != len(texts):
            raise EmbeddingError(f"{self.model} was asked for {len(texts)} vectors and answered {len(rows)}.")
        return np.array([row.embedding for row in rows], dtype=np.float32)


class WordLlamaEmbedder:
    """Embeds on this machine, offline."""

    model = f"{WORDLLAMA_CONFIG}_{WORDLLAMA_DIMENSIONS}"

    async def embed(self, texts: Sequence[str]) -> Vectors:
        return await asyncio.to_thread(self._embed, list(texts))

    def _embed(self, texts: list[str]) -> Vectors:
        vectors: Vectors = _load_wordllama().embed(texts, norm=True)
        return vectors


def make_embedder(settings: PipelineSettings, client: AsyncOpenAI | None) -> Embedder:
    """The embedder that the settings ask for."""
    if client is None:
        return WordLlamaEmbedder()
    return OpenAIEmbedder(client, settings.openai_embedding_model, settings.openai_embedding_dimensions)


@cache
def _load_wordllama() -> Any:
    """Load the model once a process; it takes a third of a second and 20 MB."""
    try:
        import wordllama
    except ImportError as error:
        raise EmbeddingError(
            "WordLlama, which embeds offline, is not installed: it has no wheel for Python 3.14 yet. "
            "Use Python 3.11 to 3.13, or set OPENAI_API_KEY."
        ) from error
    # Its own folder holds the tokenizer too, which it looks for in its cache only, and would download.
    return wordllama.WordLlama.load(
        WORDLLAMA_CONFIG,
        cache_dir=Path(wordllama.__file__).parent,
        dim=WORDLLAMA_DIMENSIONS,
        disable_download=True,
    )
