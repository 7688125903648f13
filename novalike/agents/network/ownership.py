"""Whose things on a host are whose. Several agents, of several clouds, may share one host.

An agent has an owner id. Every interface it makes carries that as its alias (`ip link` shows it), every nftables table of
the host in its name, and every network has a folder below the agent's state path from before its first piece is made until
after its last is removed. What carries another's tag is another's. What has a name like ours, but neither a tag nor a folder,
is nobody's that we know: it is left alone and told of, and an operator decides.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from typing import Any

from novalike.agents.network import names
from novalike.exception import NovalikeError
from novalike.privileged import links, namespaces

_TAG = "novalike:"


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The networks (short ids) of which a host has any piece: our own; those of other owners, by owner; and the names of what
    is nobody's that we know, by network."""

    own: frozenset[str]
    others: dict[str, frozenset[str]]
    unknown: dict[str, frozenset[str]]


class Ownership:
    """One agent's claims."""

    def __init__(self, *, owner: str, state_path: str, prefix: str) -> None:
        """`owner` is the id, derived from the state path when it is empty; `prefix` starts names of namespaces."""
        self._state_path = os.path.abspath(state_path)
        self._prefix = prefix
        self.owner = owner or hashlib.sha256(os.path.realpath(state_path).encode()).hexdigest()[:8]
        self.tag = f"{_TAG}{self.owner}"
        #: The interface group of our networks' ways out, by which a packet filter tells them from those of others. (Bridges
        #: are in none: where br_netfilter is loaded, frames from guest to guest seem to enter by the bridge.)
        self.group = 1 + int(hashlib.sha256(self.tag.encode()).hexdigest()[:6], 16)

    def folder(self, short: str) -> str:
        """Answer the folder of a network's files."""
        return os.path.join(self._state_path, short)

    def claim(self, short: str) -> None:
        """Note, before anything of a network is made, that it is ours."""
        os.makedirs(self.folder(short), mode=0o755, exist_ok=True)

    def forget(self, short: str) -> None:
        """Drop a network's folder, after everything of it was removed."""
        shutil.rmtree(self.folder(short), ignore_errors=True)

    def marks(self, link: dict[str, Any]) -> list[str]:
        """Answer the lines of `ip -batch` by which an interface becomes ours: none when it is. Raises NovalikeError for one
        which carries another's tag."""
        name, owner = link["ifname"], owner_of(link)
        if owner not in (None, self.owner):
            raise NovalikeError(
                f"Interface {name} belongs to another network agent, {owner}.",
                details=f"Two agents of one cloud cannot share a host; if this agent's state path changed, set [network] agent_owner = {owner}.",
            )
        lines = [] if owner else [f"link set dev {name} alias {self.tag}"]
        if name.startswith(names.OUTER) and link.get("group") != str(self.group):
            lines.append(f"link set dev {name} group {self.group}")
        return lines

    def survey(self) -> Survey:
        """Look at everything on this host which has a name like ours."""
        tagged: dict[str, set[str]] = {}
        untagged: dict[str, set[str]] = {}
        for link in links.show():
            if names.is_ours(link["ifname"]):
                owner, short = owner_of(link), link["ifname"][3:]
                if owner is None:
                    untagged.setdefault(short, set()).add(link["ifname"])
                else:
                    tagged.setdefault(owner, set()).add(short)
        for name in namespaces.names(self._prefix):
            if names.is_short(name[len(self._prefix):]):
                untagged.setdefault(name[len(self._prefix):], set()).add(name)
        others = {owner: frozenset(shorts) for owner, shorts in tagged.items() if owner != self.owner}
        theirs = frozenset().union(*others.values())
        own = (tagged.get(self.owner, set()) | self.claimed()) - theirs
        return Survey(
            own=frozenset(own), others=others,
            unknown={short: frozenset(found) for short, found in untagged.items() if short not in own | theirs},
        )

    def claimed(self, mark: str = "") -> set[str]:
        """Answer the networks (or with a mark, other things) which have a folder, by their short ids."""
        try:
            found = [name[len(mark):] for name in os.listdir(self._state_path) if name.startswith(mark)]
            return {name for name in found if names.is_short(name)}
        except FileNotFoundError:
            return set()


def owner_of(link: dict[str, Any]) -> str | None:
    """Answer the owner whose tag an interface carries, None for one without."""
    alias = str(link.get("ifalias") or "")
    return alias.removeprefix(_TAG) if alias.startswith(_TAG) else None
