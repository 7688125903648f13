"""Who may come in to a console proxy."""

import pytest

from novalike.console import gate
from novalike.exception import Forbidden, Unauthorized
from novalike.objects.console import ConsoleAddress, ConsoleToken

TOKEN = ConsoleToken(
    id=1, instance_uuid="u", epoch=1, host="h", console_type="novnc", expires_at=0,
    address=ConsoleAddress(host="127.0.0.1", port=5900, access_url_base="http://cloud:6080/vnc_auto.html"),
)


@pytest.mark.parametrize(("path", "cookies", "token"), [
    ("/?token=abc", None, "abc"),
    ("/websockify?x=1&token=abc", "token=other", "abc"),
    ("/", "a=b; token=abc", "abc"),
])
def test_token(path, cookies, token):
    assert gate.token_in(path, cookies).reveal() == token


@pytest.mark.parametrize(("path", "cookies"), [("/", None), ("/?token=", None), ("/token", "a=b"), ("/", "tok\0en;=;")])
def test_no_token(path, cookies):
    with pytest.raises(Unauthorized):
        gate.token_in(path, cookies)


def test_which_tokens_open():
    assert gate.check(TOKEN, {"novnc"}) is TOKEN
    for token, kinds in ((None, {"novnc"}), (TOKEN, {"serial"})):
        with pytest.raises(Forbidden):
            gate.check(token, kinds)


@pytest.mark.parametrize(("origin", "host", "url", "allowed"), [
    (None, "cloud:6080", "http://x", ()),                                   # no browser
    ("http://cloud:6080", "cloud:6080", "http://x", ()),
    ("http://CLOUD", "cloud:6080", "http://x", ()),
    ("http://[::1]:6080", "[::1]:6080", "http://x", ()),
    ("http://horizon", "cloud", "http://x", ("Horizon",)),
    ("http://cloud", "cloud", "ws://x", ()),
    ("https://cloud", "cloud", "wss://x", ()),
    ("https://cloud", "cloud", "https://x", ()),
])
def test_origins_which_may(origin, host, url, allowed):
    gate.check_origin(origin, host, url, allowed)


@pytest.mark.parametrize(("origin", "host", "url", "allowed"), [
    ("http://evil", "cloud:6080", "http://x", ()),
    ("http://evil", "cloud:6080", "http://x", ("horizon",)),
    ("http://cloud.evil", "cloud", "http://x", ()),
    ("https://cloud", "cloud", "http://x", ()),
    ("http://cloud", "cloud", "https://x", ()),
    ("http://cloud", "cloud", "wss://x", ()),
    ("null", "cloud", "http://x", ()),
    ("", "cloud", "http://x", ()),
    ("cloud", "cloud", "http://x", ()),
    ("http://", "", "http://x", ()),
    ("http://evil", None, "http://x", ()),
    ("http://[::1", "cloud", "http://x", ()),
])
def test_origins_which_may_not(origin, host, url, allowed):
    with pytest.raises(Forbidden):
        gate.check_origin(origin, host, url, allowed)
