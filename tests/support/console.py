"""What the console of a browser says of a page."""

from __future__ import annotations

from playwright.async_api import ConsoleMessage, Page

from support.web import ended

__all__ = ["errors_of"]


def errors_of(page: Page) -> list[str]:
    """What the console reports as errors, as it comes.

    Browsers also report that a page itself was answered by a 4xx, which is what a form is that needs another look. And
    a test ends its server before its page, which may still be loading something.
    """
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        url = message.location.get("url", "")
        is_late = "net::ERR_CONNECTION_REFUSED" in message.text and url.startswith(tuple(ended))
        if message.type == "error" and url != page.url and not is_late:
            said.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said
