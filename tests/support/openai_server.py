"""A server on loopback that speaks as much of OpenAI's API as an application needs for embeddings and chats."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

__all__ = ["OpenAIServer"]

Answer = tuple[int, dict[str, Any]]


class OpenAIServer:
    """Answers until the block ends.

    Attributes:
        requests: what was asked, as (path, body), in order.
        keys: the authorizations it was shown.
        embed: makes a vector of a text.
        chat: the content of the next chats' answers; with ``refusal`` set, they are refused instead.
        most_vectors: where the next answers to embeddings break off.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.keys: set[str] = set()
        self.embed: Callable[[str], list[float]] = lambda text: [float(len(text)), 1.0, 0.0]
        self.chat: dict[str, Any] | None = None
        self.refusal: str | None = None
        self.most_vectors: int | None = None
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def answer(self, path: str, body: dict[str, Any]) -> Answer:
        self.requests.append((path, body))
        match path:
            case "/v1/embeddings":
                return 200, self._embeddings(body)
            case "/v1/chat/completions":
                return 200, self._chat(body)
            case _:
                return 404, {"error": {"message": f"no {path} here"}}

    def _embeddings(self, body: dict[str, Any]) -> dict[str, Any]:
        rows = [
            {"object": "embedding", "index": at, "embedding": self.embed(text)}
            for at, text in enumerate(body["input"][: self.most_vectors])
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        # The order of the answer is not promised to be that of the question.
        return {"object": "list", "model": body["model"], "data": rows[::-1], "usage": usage}

    def _chat(self, body: dict[str, Any]) -> dict[str, Any]:
        content = None if self.chat is None else json.dumps(self.chat)
        message = {"role": "assistant", "content": content, "refusal": self.refusal}
        return {
            "id": "chat-1",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                server.keys.add(self.headers["authorization"])
                status, answer = server.answer(self.path, body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        return Handler
