"""When the agent looks and acts: on a ring, after a failure, and every now and then."""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from novalike.agents.network.desired import Desired
from novalike.clock import Clock
from novalike.context import RequestContext, service_context
from novalike.exception import NovalikeError
from novalike.objects.network_state import DesiredNetworks
from novalike.rpc import serializer
from novalike.rpc.conductor import DesiredState
from novalike.rpc.network import NetworkAgent

LOG = logging.getLogger(__name__)
#: Seconds which rings are collected for before the first of them is answered.
COALESCE = 0.1
#: Seconds between two looks at whether all that was made is still there.
WATCH = 4.0
_RETRY_FIRST, _RETRY_LAST = 0.5, 30.0


class Host(Protocol):
    """What makes networks true: linux.LinuxHost, or linux.NoHost."""

    def survey(self) -> None:
        """See LinuxHost.survey."""
        ...

    def apply(self, changed: set[str], gone: set[str], *, thorough: bool = False) -> bool:
        """See LinuxHost.apply."""
        ...

    def renew(self) -> None:
        """See LinuxHost.renew."""
        ...

    def lost(self) -> bool:
        """See LinuxHost.lost."""
        ...

    def close(self) -> None:
        """Close what lives in this process only."""
        ...


class Ring(NetworkAgent):
    """Serves NetworkAgent: wakes the worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def ring(self, ctxt: RequestContext, *, revision: int) -> None:
        self._worker.ring(revision)


class Worker:
    """One thread which fetches the desired state and applies it: never two at a time, and never more often than needed."""

    def __init__(self, host: str, conductor: DesiredState, desired: Desired, hands: Host, clock: Clock, *, watch: float = WATCH) -> None:
        self._host = host
        self._conductor = conductor
        self._desired = desired
        self._hands = hands
        self._clock = clock
        self._watch = watch
        self._wake = threading.Event()
        self._whole = True                           # fetch everything and compare with everything
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="networks", daemon=True)

    def start(self) -> None:
        """Begin, with everything."""
        self._wake.set()
        self._thread.start()

    def stop(self) -> None:
        """End after what is being done now."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(30)
        self._hands.close()

    def ring(self, revision: int) -> None:
        """Look for changes, unless the revision is known already."""
        if revision == 0 or revision != self._desired.revision:
            self._wake.set()

    def look_at_everything(self) -> None:
        """Compare the whole host with its whole desired state soon."""
        self._whole = True
        self._wake.set()

    def renew(self) -> None:
        """Say on this host that the agent lives."""
        self._hands.renew()

    def _run(self) -> None:
        pause = _RETRY_FIRST
        while not self._stopping.is_set():           # whose ring may have come among others, and been answered with them
            if not self._wake.wait(self._watch):
                if not self._lost():
                    continue
                self._whole = True
            if self._stopping.is_set():
                return
            if not self._whole:
                self._clock.sleep(COALESCE)
            self._wake.clear()
            if self.once():
                pause = _RETRY_FIRST
            else:
                # Ringing cannot make this faster: a conductor that is away, or a kernel that refuses, needs its time.
                self._stopping.wait(pause)
                pause = min(pause * 2, _RETRY_LAST)
                self._whole = True
                self._wake.set()

    def _lost(self) -> bool:
        try:
            return self._hands.lost()
        except Exception:
            LOG.exception("whether this host's networks are there could not be seen")
            return False

    def once(self) -> bool:
        """Fetch and apply once; answer False when it is to be tried again."""
        whole, self._whole = self._whole, False
        try:
            if whole:
                self._hands.survey()
            document = self._conductor.network(
                service_context(), host=self._host, since=0 if whole else self._desired.revision,
                known=None if whole else self._desired.known(),
            )
            answer = serializer.load(DesiredNetworks, document)
        except (NovalikeError, serializer.WireError) as error:
            LOG.warning("the desired state of this host's networks could not be fetched: %s", error)
            return False
        except Exception:
            LOG.exception("the desired state of this host's networks could not be fetched")
            return False
        changed, gone = self._desired.take(answer)
        started = self._clock.monotonic()
        done = self._hands.apply(changed, gone, thorough=whole)
        if changed or gone:
            LOG.info(
                "revision %d: %d networks changed, %d gone, applied in %.3f s", answer.revision, len(changed), len(gone),
                self._clock.monotonic() - started,
            )
        return done
