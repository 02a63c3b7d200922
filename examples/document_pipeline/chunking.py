"""Cutting a document into passages of a size that can be searched and quoted.

Docling's hybrid chunker keeps headings, pages and the rows of tables together. It counts in tokens of a model; we
count characters, so that the passages are the same whichever model embeds them, and no tokenizer is fetched.
"""

from __future__ import annotations

from collections.abc import Callable

from docling_core.transforms.chunker.base import BaseChunk
from docling_core.transforms.chunker.doc_chunk import DocChunk
from docling_core.transforms.chunker.hierarchical_chunker import ChunkingDocSerializer, ChunkingSerializerProvider
from docling_core.transforms.chunker.hybrid_chunker import HybridChunker
from docling_core.transforms.chunker.tokenizer.base import BaseTokenizer
from docling_core.transforms.serializer.markdown import MarkdownParams, MarkdownTableSerializer
from docling_core.types.doc.document import DoclingDocument

from document_pipeline.passages import Passage

PASSAGE_CHARACTERS = 1200
"""About 300 tokens: one thought of a text, well below the limit of every embedding model."""


def chunk(document: DoclingDocument) -> list[Passage]:
    """Cut a document into passages, in reading order; empty when it has no text."""
    chunker = HybridChunker(tokenizer=CharacterCounter(), serializer_provider=_PlainText())
    return [_passage(piece) for piece in chunker.chunk(document) if piece.text.strip()]


class CharacterCounter(BaseTokenizer):
    """Makes the chunker's unit a character."""

    def count_tokens(self, text: str) -> int:
        return len(text)

    def get_max_tokens(self) -> int:
        return PASSAGE_CHARACTERS

    def get_tokenizer(self) -> Callable[[str], int]:
        return len


class _PlainText(ChunkingSerializerProvider):
    """Text without mark-up, but tables as rows under their header: the chunker's default is a sentence a cell."""

    def get_serializer(self, doc: DoclingDocument) -> ChunkingDocSerializer:
        return ChunkingDocSerializer(
            doc=doc,
            table_serializer=MarkdownTableSerializer(),
            params=MarkdownParams(
                compact_tables=True,
                escape_html=False,
                escape_underscores=False,
                format_code_blocks=False,
                include_formatting=False,
                include_hyperlinks=False,
            ),
        )


def _passage(piece: BaseChunk) -> Passage:
    found = DocChunk.model_validate(piece)
    pages = (place.page_no for item in found.meta.doc_items for place in item.prov)
    # Web pages mark headings with a sign to link to them.
    headings = tuple(heading.rstrip(" ¶#") for heading in found.meta.headings or ())
    return Passage(found.text.strip(), headings, min(pages, default=None))
