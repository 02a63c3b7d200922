"""What the console of a browser says of a page."""

from __future__ import annotations

from playwright.async_api import ConsoleMessage, Page

__all__ = ["errors_of"]


def errors_of(page: Page) -> list[str]:
    """What the console reports as errors, as it comes.

    Browsers also report that a page itself was answered by a 4xx, which is what a form is that needs another look.
    """
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error" and message.location.get("url") != page.url:
            said.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said
