"""A small interface and its endpoint, for tests of the engine and of transports."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass

from oslo_config import cfg

from novalike import context
from novalike.context import RequestContext
from novalike.exception import BuildFailed, Conflict, NotFound, OverQuota
from novalike.objects.secret import Secret
from novalike.rpc.engine import Interface, call, cast


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    text: str
    secret: Secret | None = None
    tags: tuple[str, ...] = ()


class TapeTorn(Conflict):
    """A leaf with a constructor of its own."""

    def __init__(self, tape: str, *, length: int) -> None:
        super().__init__(f"The tape {tape} is torn.")
        self.length = length


ERRORS = {
    "NotFound": lambda: NotFound("There is no such parcel.", details="shelf 7"),
    "OverQuota": lambda: OverQuota("Too many parcels.", overs=("parcels", "stamps")),
    "BuildFailed": lambda: BuildFailed("The box is too small.", retry=False),
    "TapeTorn": lambda: TapeTorn("red", length=3),
    "KeyError": lambda: KeyError("traceback material"),
}


class Post(Interface):
    """Send parcels."""

    topic, version = "post", "1.2"

    @call(timeout=5)
    def echo(self, ctxt: RequestContext, *, parcel: Parcel, times: int = 1) -> tuple[Parcel, ...]:
        """Answer the parcel so many times."""

    @call(timeout=0.3)
    def slow(self, ctxt: RequestContext, *, seconds: float) -> None:
        """Answer too late."""

    @call(timeout=5)
    def fail(self, ctxt: RequestContext, *, how: str) -> None:
        """Raise one of ERRORS."""

    @call(timeout=5)
    def who(self, ctxt: RequestContext) -> str:
        """Answer which server this is and for which request it works."""

    @cast()
    def drop(self, ctxt: RequestContext, *, parcel: Parcel) -> None:
        """Put a parcel into the server's box."""

    @cast()
    def crash(self, ctxt: RequestContext, *, how: str) -> None:
        """Fail where nobody waits."""

    @cast(fanout=True)
    def announce(self, ctxt: RequestContext, *, text: str) -> None:
        """Put a text into the box of every server."""

    @call(since="1.2", timeout=5)
    def new(self, ctxt: RequestContext) -> bool:
        """Was not there in 1.1."""


class Office(Post):
    """An endpoint which keeps what it got."""

    def __init__(self, name: str = "office") -> None:
        self.name = name
        self.box: queue.Queue = queue.Queue()
        self.gate = threading.Event()
        self.gate.set()

    def echo(self, ctxt, *, parcel, times=1):
        return (parcel,) * times

    def slow(self, ctxt, *, seconds):
        self.gate.wait(seconds)

    def fail(self, ctxt, *, how):
        error = ERRORS[how]()
        raise error

    def who(self, ctxt):
        working_for = context.current.get()
        return f"{self.name} {ctxt.request_id} {working_for.request_id if working_for else None}"

    def drop(self, ctxt, *, parcel):
        self.gate.wait()
        self.box.put(parcel)

    def crash(self, ctxt, *, how):
        try:
            error = ERRORS[how]()
            raise error
        finally:
            self.box.put(how)

    def announce(self, ctxt, *, text):
        self.box.put(text)

    def new(self, ctxt):
        return True


def bare_conf() -> cfg.ConfigOpts:
    """Answer a configuration without any file or option: transports bring their own."""
    conf = cfg.ConfigOpts()
    conf([], project="novalike", default_config_files=[])
    return conf
