"""How pages change things: one way for all of them.

A form is posted, its token is looked at, the change happens in a transaction that records it, and the browser is sent
to a page that says what has happened, so that a reload repeats nothing.

Example:
    class PauseForm(BaseModel):
        reason: str | None = None

    @router.post("/queues/{name:path}/pause")
    async def pause_queue(name: str, request: Request, change: AnyChange) -> Response:
        form = change.form(PauseForm)
        try:
            reason = form.checked().reason
            async with change.acting("pause_queue", queue=name, reason=reason) as connection:
                await change.site.run(pauses.pause_queue(change.site.catalog, name), connection)
        except ValidationError as error:
            return page(request, "queue.html", {"form": form.refused(error)}, at="queues", status=422)
        return change.done(f"{name} is paused.", to=f"/queues/{name}")

The form in the template holds ``<input type="hidden" name="csrf_token" value="{{ csrf_token }}">``; what htmx sends
shows the token in a header, which ``base.html`` sees to. Without the ``try``, what is wrong is told by a page of its
own. Who may only look is refused before all this, so a page offers its actions ``{% if may_write %}``.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from hmac import compare_digest
from typing import Annotated, Any, TypeAlias, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from pgboss.web.access import Principal
from pgboss.web.dashboard.forms import Form
from pgboss.web.dependencies import AnySite, AnyWriter
from pgboss.web.paths import base_of
from pgboss.web.problems import Problem
from pgboss.web.site import Site

__all__ = ["AnyChange", "Change", "check_token", "leave"]

M = TypeVar("M", bound=BaseModel)

STALE = Problem(
    403, "no_token", "This form is too old, or did not come from here: go back, load its page again, and send it anew."
)


class Change:
    """Something that somebody who may do it is about to change.

    Attributes:
        site: whose boss does it.
        writer: who.
    """

    def __init__(self, request: Request, site: Site, writer: Principal, data: FormData) -> None:
        self.site = site
        self.writer = writer
        self._request = request
        self._data = data

    def form(self, model: type[M]) -> Form[M]:
        """What was sent."""
        return Form.sent(model, self._data)

    def acting(self, action: str, **what: Any) -> AbstractAsyncContextManager[Any]:
        """A transaction for it, as :meth:`Site.acting`; yields the connection, for ``connection=``."""
        return self.site.acting(self.writer, action, **what)

    def done(self, message: str, *, to: str) -> Response:
        """Send the browser to a page of this application, which says what has happened."""
        response = leave(self._request, to)
        self._request.app.state.flashes.put(response, self._request, message)
        return response


def leave(request: Request, to: str) -> Response:
    """Send the browser to a page of this application; htmx has the browser load it whole."""
    address = f"{base_of(request)}{to}"
    if "hx-request" in request.headers:
        return Response(status_code=204, headers={"HX-Redirect": address})
    return RedirectResponse(address, 303)


async def check_token(request: Request) -> FormData:
    """The form that was sent, if it came from a page that this browser got from us.

    Raises:
        Problem: it did not.
    """
    data = await request.form()
    # Empty where nobody has been recognised, and nothing equals that.
    expected = request.state.csrf_token
    shown = request.headers.get("x-csrf-token") or data.get("csrf_token")
    if not expected or not isinstance(shown, str) or not compare_digest(shown.encode(), expected.encode()):
        raise STALE
    return data


async def _change(request: Request, site: AnySite, writer: AnyWriter) -> Change:
    return Change(request, site, writer, await check_token(request))


AnyChange: TypeAlias = Annotated[Change, Depends(_change)]
"""For every route of a page that changes something."""
