"""Query strings as tables: which parameters exist since when, and what unknown ones do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webob.multidict import MultiDict

from novalike.api.http import schema
from novalike.api.http.schema import Field, Object
from novalike.api.http.versions import Version, within
from novalike.exception import Invalid

TEXT: dict[str, Any] = {"type": "string", "maxLength": 65535}
INTEGER: dict[str, Any] = {"type": "string", "pattern": r"^[0-9]{1,18}$"}


@dataclass(frozen=True)
class Parameter:
    """One parameter: the schema of each of its values, and whether it may be given more than once."""

    schema: Any
    many: bool = True
    since: str | None = None
    until: str | None = None


class Query:
    """The query string of a route.

    `unknown`: "ignored", "refused", or the version from which unknown keys are refused (they are ignored before).
    """

    def __init__(self, parameters: Mapping[str, Parameter | tuple[Parameter, ...]], *, unknown: str = "ignored") -> None:
        self._parameters = {name: p if isinstance(p, tuple) else (p,) for name, p in parameters.items()}
        self._unknown = unknown
        self._object = Object({
            name: tuple(
                Field(
                    {"type": "array", "items": p.schema, **({} if p.many else {"maxItems": 1})}, since=p.since, until=p.until,
                ) for p in choices
            ) for name, choices in self._parameters.items()
        }, extra=True)

    def parse(self, given: MultiDict[str, str], version: Version) -> dict[str, list[str]]:
        """Check the query string and answer every known parameter's values. Raises Invalid."""
        values: dict[str, list[str]] = {}
        unknown: list[str] = []
        for name in dict.fromkeys(given):
            choices = self._parameters.get(name, ())
            if any(within(version, p.since, p.until) for p in choices):
                values[name] = given.getall(name)
            else:
                unknown.append(name)
        if unknown and self.refuses(version):
            names = ", ".join(f"'{name[:255]}'" for name in sorted(unknown))
            raise Invalid(f"Additional properties are not allowed ({names} {'was' if len(unknown) == 1 else 'were'} unexpected)")
        schema.check(self._object, version, values, query=True)
        return values

    def names(self, version: Version) -> set[str]:
        """Answer the parameters which a version knows."""
        return {name for name, choices in self._parameters.items() if any(within(version, p.since, p.until) for p in choices)}

    def at(self, version: Version) -> dict[str, Any]:
        """Answer plain JSON Schema of a parsed query string: each parameter's values are a list."""
        return self._object.at(version)

    def refuses(self, version: Version) -> bool:
        """Tell whether a version refuses parameters which it does not know, instead of ignoring them."""
        if self._unknown in {"ignored", "refused"}:
            return self._unknown == "refused"
        return within(version, self._unknown, None)


#: A route without parameters, which lets unknown ones pass.
ANYTHING = Query({})
