"""Does the host satisfy a query of the user's?"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters import facts
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected

#: How deep a query may be nested.
DEPTH = 20
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}


class _Malformed(Exception):
    """The query is not one."""


class JsonFilter(Filter):
    """Passes hosts which satisfy the hint `query`: a list, or JSON text of one, such as [">=", "$free_ram_mb", 1024].

    Operators: = < > <= >= (the first with every other), in, not, or, and. `$name` is a fact of the host (facts.py),
    `$cpu_info.arch` a part of one.
    """

    def remedy(self, spec: RequestSpec, host: HostState) -> str | None:
        """Answer that the hint is in the way."""
        return "without the hint query"

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host which does not satisfy the query, and all hosts when nobody can understand it."""
        query = spec.hints.get("query")
        if not query:
            return None
        try:
            answer = _evaluate(json.loads(query) if isinstance(query, str) else query, host, DEPTH)
        except (_Malformed, ValueError, TypeError, RecursionError):
            return "the hint query is malformed"
        passes = any(answer) if isinstance(answer, list) else bool(answer)
        return None if passes else "the hint query is not satisfied"

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer at once that nobody is rejected when nobody asks."""
        return None if spec.hints.get("query") else ()


def _evaluate(query: Any, host: HostState, depth: int) -> Any:
    if not query:
        return True
    if not isinstance(query, list) or not isinstance(query[0], str) or depth == 0:
        raise _Malformed
    values = []
    for part in query[1:]:
        value = _evaluate(part, host, depth - 1) if isinstance(part, list) else _value(part, host)
        if value is not None:
            values.append(value)
    return _apply(query[0], values)


def _apply(name: str, values: list[Any]) -> Any:
    if name == "not":
        return [not value for value in values]
    if name == "or":
        return any(values)
    if name == "and":
        return all(values)
    if name == "in":
        return len(values) > 1 and values[0] in values[1:]
    if name not in _COMPARE:
        raise _Malformed
    return len(values) > 1 and all(_COMPARE[name](values[0], other) for other in values[1:])


def _value(part: Any, host: HostState) -> Any:
    if isinstance(part, str) and part.startswith("$"):
        return facts.fact(host, part[1:].split("."))
    return part
