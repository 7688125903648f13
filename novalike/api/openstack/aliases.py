"""/os-volumes_boot: another name of /servers until 2.102, from the days when booting from a volume was an extension."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from novalike.api.http.application import Route
from novalike.api.http.versions import parse

_LAST = "2.102"
_NAME, _ALIAS = "/servers", "/os-volumes_boot"
_WORDS = frozenset({
    "confirmResize", "revertResize", "reboot", "resize", "rebuild", "createImage", "os-start", "os-stop", "trigger_crash_dump",
})


def routes(served: Iterable[Route]) -> tuple[Route, ...]:
    """Answer the alias of each route which had one: servers themselves, and the action words of the oldest extension."""
    return tuple(
        replace(route, path=_ALIAS + route.path.removeprefix(_NAME), until=_earlier(route.until))
        for route in served if _had_alias(route)
    )


def _had_alias(route: Route) -> bool:
    first, *rest = route.path.strip("/").split("/")
    if f"/{first}" != _NAME or len(rest) > 2:
        return False
    if len(rest) == 2:
        return rest[1] == "action" and route.action in _WORDS
    return route.action is None


def _earlier(until: str | None) -> str:
    return _LAST if until is None or parse(until) > parse(_LAST) else until
