"""What Nova's REST API is, row by row: reads data/nova-rest-api.tsv, whose first lines explain its columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from novalike.api.http.versions import Version, parse
from novalike.api.openstack import microversions
from novalike.api.openstack.not_built import key

TABLE = Path(__file__).parent / "data" / "nova-rest-api.tsv"
#: Before 2.53 the last element of this path was a word, and each word has a row of its own.
BY_WORD = ("PUT", "/os-services/{}", "")
_SAME_AS_SERVERS = ("same as the /servers operation", "same as GET /servers")


@dataclass(frozen=True)
class Row:
    """One operation of Nova's Compute API."""

    method: str
    path: str
    action: str
    since: str
    until: str
    role: str
    success: str
    errors: str
    kind: str
    rules: str
    request_fields: str
    query_params: str
    response_fields: str

    def __str__(self) -> str:
        return " ".join(filter(None, (self.method, self.path, self.action)))

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes the operation one, whatever the names of its path's parameters."""
        return key(self.method, self.path, self.action)

    @property
    def first(self) -> Version:
        return parse(self.since)

    @property
    def last(self) -> Version:
        return parse(self.until) if self.until else microversions.MAXIMUM

    @property
    def versions(self) -> set[Version]:
        return {(2, minor) for minor in range(self.first[1], self.last[1] + 1)}

    def codes(self, version: Version) -> set[int]:
        """Answer the codes of success: `200@2.1 / 201@2.2` by version, `201 / 204` one of both, `410 (worked: 200)` the first."""
        if self.success.startswith("- (always"):
            return {int(self.success.rstrip(")").rpartition(" ")[2])}
        found: set[int] = set()
        for part in re.sub(r"\(.*?\)", "", self.success).split("/"):
            code, _, since = part.strip().partition("@")
            if not since:
                found.add(int(code))
            elif version >= parse(since):
                found = {int(code)}
        return found

    @cached_property
    def body(self) -> Names:
        """The names in the request's body."""
        return Names(_of_servers(self, "request_fields"))

    @cached_property
    def query(self) -> Names:
        """The parameters of the query string."""
        return Names(_of_servers(self, "query_params"))

    @cached_property
    def answer(self) -> Names:
        """The names in the answer."""
        return Names(_of_servers(self, "response_fields"))


class Names:
    """A column of field names with the versions at which they come and go."""

    def __init__(self, text: str) -> None:
        text, _, about_unknown = text.partition(";") if ";" in text else (text, "", text if text.startswith("unknown") else "")
        found = re.search(r"unknown rejected from (\S+)", about_unknown)
        self.refused_since = parse(found[1]) if found else None
        text = "" if text.startswith("unknown") else text.strip()
        starts = re.match(r"@(2\.\d+):", text)
        self._since = parse(starts[1]) if starts else microversions.MINIMUM
        text = text[starts.end() if starts else 0:].strip()
        wrapped = re.fullmatch(r"([^\s{}]+)\{ (.*) \}", text)
        self.wrapper = wrapped[1] if wrapped else ""
        #: (version or None, sign, name): in the order of the column.
        self._changes = list(self._read(wrapped[2] if wrapped else text))

    def _read(self, text: str) -> Iterator[tuple[Version, str, str]]:
        words = [word for word in text.split() if word != "|"]
        for number, word in enumerate(words):
            following = words[number + 1] if number + 1 < len(words) else ""
            found = re.fullmatch(r"([+-]?)(.*?)(?:@(2\.\d+))?", word)
            assert found, word
            sign, name, since = found[1], found[2], parse(found[3]) if found[3] else self._since
            if name in {"required", "optional"}:
                continue
            if following.startswith(("required@", "optional@")):
                since = parse(following.partition("@")[2])
                yield since, "-", self._full(name)
                yield since, "+", self._full(name) + ("*" if following.startswith("required") else "")
            else:
                yield since, sign or "+", self._full(name)

    def _full(self, name: str) -> str:
        if name.startswith("^"):
            return name[1:]
        return f"{self.wrapper}.{name}" if self.wrapper else name

    def at(self, version: Version) -> dict[str, bool]:
        """Answer the names of a version as dotted paths, and whether each is required."""
        found: dict[str, bool] = {}
        for since, sign, name in self._changes:
            if version < since:
                continue
            if sign == "-":
                found.pop(name.rstrip("*"), None)
            else:
                found[name.rstrip("*")] = name.endswith("*")
        return found


def _of_servers(row: Row, column: str) -> str:
    """Answer a column's text; some rows say that it is that of another one."""
    text: str = getattr(row, column)
    if text not in _SAME_AS_SERVERS:
        return text
    path = "/servers" if text == "same as GET /servers" else row.path.replace("/os-volumes_boot", "/servers")
    return _of_servers(by_key()[key(row.method, path, row.action)], column)


@cache
def rows() -> tuple[Row, ...]:
    """Answer every row of an operation; without the root documents, and without what no version since 2.1 had."""
    found = []
    for line in TABLE.read_text().splitlines():
        if line.startswith(("#", "method\t")):
            continue
        method, path, action, since, until, role, success, errors, _note, kind, rules, body, query, answer = line.split("\t")
        if kind != "legacy-old" and not path.startswith("(root)") and path not in {"/", "/versions/{id}"}:
            found.append(Row(method, path, action, since, until, role, success, errors, kind, rules, body, query, answer))
    return tuple(found)


@cache
def by_key() -> dict[tuple[str, str, str], Row]:
    """Answer the rows by their keys."""
    return {row.key: row for row in rows()}
