"""What holds for all methods that are answered once: pages of lists, and requests that are sent again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mtd.api.access.current import tenant_id
from mtd.api.grpc.page_tokens import PageSeal, is_paged, with_token
from mtd.api.grpc.repeats import Repeats, has_id
from mtd.api.grpc.types import Context
from mtd.core.errors import Refused

Behaviour = Callable[[Any, Context], Awaitable[Any]]


class Conventions:
    """Wraps what servicers do, so that none of them has to think of it.

    Servicers see page tokens as they gave them out: where a page begins, in their own words.
    """

    def __init__(self, seal: PageSeal, repeats: Repeats) -> None:
        self._seal = seal
        self._repeats = repeats

    def around(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Return a behaviour that keeps the conventions."""

        async def answered(request: Any, context: Context) -> Any:
            if is_paged(request):
                return await self._page(method, behaviour, request, context)
            if has_id(request):
                return await self._repeats.once(method, request, lambda: behaviour(request, context))
            return await behaviour(request, context)

        return answered

    async def _page(self, method: str, behaviour: Behaviour, request: Any, context: Context) -> Any:
        if request.page_size < 0:
            raise Refused("page_size can't be negative")
        tenant = tenant_id()
        asked = type(request)()
        asked.CopyFrom(request)
        request.page_token = self._seal.open(method, tenant, request, request.page_token)
        answer = await behaviour(request, context)
        return with_token(answer, lambda place: self._seal.seal(method, tenant, asked, place))
