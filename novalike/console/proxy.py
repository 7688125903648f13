"""What all connections of one proxy share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from novalike.console.gate import Tokens
from novalike.console.session import Sessions
from novalike.objects.console import ConsoleRoute, ConsoleToken


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """One proxy. `kinds` are the console types it serves; `route` finds the way to a guest, and raises NovalikeErrors; `web` is
    the folder of its page (None: it has none)."""

    kinds: frozenset[str]
    tokens: Tokens
    route: Callable[[ConsoleToken], ConsoleRoute]
    sessions: Sessions
    web: str | None
    allowed_origins: tuple[str, ...] = ()
