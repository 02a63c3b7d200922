"""``test-job``: shows that the queue works, retries and waits, without a document."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel

from document_pipeline.jobs import TestJob


class TestJobError(Exception):
    """The failure that was asked for."""


class TestJobResult(BaseModel):
    """What the job says back."""

    message: str
    delay_ms: int


async def run_test_job(payload: TestJob) -> TestJobResult:
    """Wait as long as asked, then say the message, or fail with it.

    Raises:
        TestJobError: the payload says ``should_fail``.
    """
    await asyncio.sleep(payload.delay_ms / 1000)
    if payload.should_fail:
        raise TestJobError(payload.message)
    return TestJobResult(message=payload.message, delay_ms=payload.delay_ms)
