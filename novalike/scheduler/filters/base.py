"""What a filter is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from novalike.hardware.capacity import Shortage
from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import HostState
from novalike.scheduler.options import Options

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected


class Filter:
    """Rejects hosts which cannot take a server. Must be pure: the same question has the same answer.

    Reasons are shown to users: they name what was asked for, never a host.
    """

    #: Whether it is asked when a server stays on its host and gets another image.
    asked_of_images: ClassVar[bool] = False
    #: Whether it is asked even when nobody enabled it, and of a forced host: what it says is no matter of preference.
    always: ClassVar[bool] = False
    #: What it needs to know of hosts beyond what is always read (names in host_state.py).
    needs: frozenset[str] = frozenset()

    def __init__(self, options: Options) -> None:
        self.options = options

    @property
    def name(self) -> str:
        """The filter's name in configuration and explanations."""
        return type(self).__name__

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Answer why this host cannot take the server, or None when it can."""
        raise NotImplementedError

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once: reasons, each with a mask of hosts; the first reason of a host counts.

        None: ask host by host, for this question or for all. A subclass which changes a method of a filter that has this form
        is asked host by host, unless it brings a form of its own.
        """
        return None

    def remedy(self, spec: RequestSpec, host: HostState) -> str | None:
        """Answer which other wish this host would have granted, such as "in zone az2"; for the explanation."""
        return None

    def shortage(self, spec: RequestSpec, host: HostState) -> Shortage | None:
        """Answer how much of an amount is missing, when less of it would have been accepted; for the explanation."""
        return None

    def shortages(self, spec: RequestSpec, host: HostState) -> tuple[Shortage, ...]:
        """Answer all amounts which are missing, when less of them would have been accepted; empty when that alone would not do."""
        one = self.shortage(spec, host)
        return (one,) if one is not None else ()
