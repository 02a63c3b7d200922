"""``python -m document_pipeline``: the demo."""

from document_pipeline.demo import main

main()
