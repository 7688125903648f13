"""An nftables table as a value: what it holds, what the kernel says it holds, and the script from one to the other.

A table has constant text (its base chains, which never change while a version of the agent runs) and changing parts: elements
of sets and maps, further sets, and further chains. Of a chain the kernel is only asked how many rules it has and for the
comment on its last rule, which says what was loaded: rules are never parsed back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Elements = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The changing parts of a table. `elements` by set or map, as nft writes them (of a map: `key : value`); `declared` are
    those sets which are not of the constant text, with their type; `chains` have their rules, one a line."""

    elements: Mapping[str, Elements] = field(default_factory=dict)
    declared: Mapping[str, str] = field(default_factory=dict)
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def prints(self) -> dict[str, str]:
        """Answer what tells whether a chain is as it should be, for each."""
        return {name: _print(lines) for name, lines in self.chains.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What the kernel holds of the changing parts of a table."""

    elements: Mapping[str, Elements] = field(default_factory=dict)
    chains: Mapping[str, str] = field(default_factory=dict)      # the prints


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The constant part: `sets` names the sets, and `chains` the chains, which `text` makes."""

    family: str
    name: str
    text: str
    sets: frozenset[str]
    chains: frozenset[str]

    @property
    def version(self) -> str:
        """The name of an empty chain which says what the constant text was."""
        return f"is_{hashlib.sha256(self.text.encode()).hexdigest()[:16]}"

    def script(self, present: Present | None, wanted: Contents) -> str:
        """Answer an nft script from what is there (None: not this table) to what is wanted; empty when nothing differs."""
        place = f"{self.family} {self.name}"
        lines: list[str] = []
        if present is None:
            lines = [f"add table {place}", f"delete table {place}", f"table {place} {{\n{self.text}  chain {self.version} {{ }}\n}}"]
            present = Present()
        prints = wanted.prints()
        changed = [name for name, text in prints.items() if present.chains.get(name) != text]
        gone = [name for name in present.chains if name not in prints]
        lines += (f"add set {place} {name} {{ {kind} }}" for name, kind in wanted.declared.items() if name not in present.elements)
        lines += (f"add chain {place} {name}" for name in changed if name not in present.chains)
        # Elements go before others come: an interval may not overlap one that is there, nor a key be there twice.
        kept = self.sets | wanted.declared.keys()
        for name in sorted(kept):
            without = present.elements.get(name, _NO) - wanted.elements.get(name, _NO)
            if without:
                lines.append(f"delete element {place} {name} {{ {', '.join(sorted(_key(element) for element in without))} }}")
        lines += (f"flush chain {place} {name}" for name in (*changed, *gone) if name in present.chains)
        if changed:
            chains = "".join(f"  chain {name} {{\n{_body(wanted.chains[name])}  }}\n" for name in changed)
            lines.append(f"table {place} {{\n{chains}}}")
        for name in sorted(kept):
            added = wanted.elements.get(name, _NO) - present.elements.get(name, _NO)
            if added:
                lines.append(f"add element {place} {name} {{ {', '.join(sorted(added))} }}")
        lines += (f"delete chain {place} {name}" for name in gone)
        lines += (f"delete set {place} {name}" for name in sorted(present.elements.keys() - kept))
        return "".join(f"{line}\n" for line in lines)

    def read(self, listing: Iterable[Mapping[str, Any]] | None) -> Present | None:
        """Answer what `nft -j list table` says; None when there is no such table, or not all of its constant text."""
        if listing is None:
            return None
        elements: dict[str, Elements] = {}
        rules: dict[str, list[str]] = {}
        for item in listing:
            if "chain" in item:
                rules.setdefault(item["chain"]["name"], [])
            elif "rule" in item:
                rules.setdefault(item["rule"]["chain"], []).append(item["rule"].get("comment", ""))
            for kind in ("set", "map"):
                if kind in item:
                    elements[item[kind]["name"]] = frozenset(_element(value) for value in item[kind].get("elem", []))
        constant = sum(len(rules.pop(name, [])) for name in self.chains)
        wanted = sum(line.startswith("    ") and not line.startswith("    type ") for line in self.text.splitlines())
        if rules.pop(self.version, None) is None or constant != wanted:
            return None
        return Present(
            elements={name: elements.get(name, _NO) for name in self.sets | elements.keys()},
            chains={name: f"{len(found)} {found[-1] if found else ''}" for name, found in rules.items()},
        )


_NO: Elements = frozenset()


def present(wanted: Contents) -> Present:
    """Answer what the kernel holds once `wanted` was loaded."""
    return Present(elements=wanted.elements, chains=wanted.prints())


def _print(lines: tuple[str, ...]) -> str:
    return f"{len(lines)} {_mark(lines)}"


def _mark(lines: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _body(lines: tuple[str, ...]) -> str:
    return "".join(f"    {line}\n" for line in lines[:-1]) + f'    {lines[-1]} comment "{_mark(lines)}"\n'


def _key(element: str) -> str:
    return element.partition(" : ")[0]


def _element(value: Any) -> str:
    """Answer an element of `nft -j` as this agent writes it."""
    if isinstance(value, list):
        return f"{_plain(value[0])} : {_plain(value[1])}"
    return _plain(value)


def _plain(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    if "concat" in value:
        return " . ".join(_plain(part) for part in value["concat"])
    if "prefix" in value:
        return f"{value['prefix']['addr']}/{value['prefix']['len']}"
    if "range" in value:
        return "-".join(str(part) for part in value["range"])
    verb, target = next(iter(value.items()))
    return f"{verb} {target['target']}" if isinstance(target, dict) else str(verb)
