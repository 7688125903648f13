"""Who may come in: the token that a request carries, and from whose pages browsers may open consoles."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from novalike.exception import Forbidden, Unauthorized
from novalike.objects.console import ConsoleToken
from novalike.objects.secret import Secret

#: A page's scheme, by the scheme of the URL which users got.
_PAGES = {"ws": "http", "wss": "https"}


class Tokens(Protocol):
    """What holds the tokens. Both raise Unavailable when they cannot be looked up now."""

    def find(self, token: Secret) -> ConsoleToken | None:
        """Answer a token which holds now."""
        ...

    def standing(self, tokens: Collection[ConsoleToken]) -> set[ConsoleToken]:
        """Answer those whose sessions may go on."""
        ...


def token_in(path: str, cookies: str | None) -> Secret:
    """Answer the token of a request: its query parameter, or its cookie of that name. Raises Unauthorized without one."""
    found = parse_qs(urlsplit(path).query).get("token", [""])[-1]
    if not found and cookies:
        try:
            morsel = SimpleCookie(cookies).get("token")
        except CookieError:
            morsel = None
        found = morsel.value if morsel else ""
    if not found:
        raise Unauthorized("A console's token is needed.")
    return Secret(found)


def check(token: ConsoleToken | None, kinds: Collection[str]) -> ConsoleToken:
    """Answer the token if it opens a console of these types. Raises Forbidden."""
    if token is None:
        raise Forbidden("The token is unknown or has expired.")
    if token.console_type not in kinds:
        raise Forbidden(f"The token is for a console of another type ({token.console_type}).")
    return token


def check_origin(origin: str | None, host: str | None, access_url: str, allowed: Iterable[str]) -> None:
    """Raise Forbidden for a page of another site, which could have found somebody's token or cookie.

    `origin` is the header which browsers send (others send none, and may come in); `host` is the name by which this proxy is
    called, and `access_url` the start of the URL which the user got.
    """
    if origin is None:
        return
    try:
        page, own = urlsplit(origin), urlsplit(f"//{host or ''}").hostname
        name = page.hostname
    except ValueError as error:
        raise Forbidden("The Origin header is not valid.") from error
    if not name or not page.scheme:
        raise Forbidden("The Origin header is not valid.")
    if name not in {own, *(one.lower() for one in allowed)} - {None}:
        raise Forbidden("The Origin header does not match this host.")
    expected = urlsplit(access_url).scheme
    if page.scheme != _PAGES.get(expected, expected):
        raise Forbidden("The Origin header's protocol does not match this host.")
