"""Faults which configuration or a test orders, to see what the rest makes of them."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from fnmatch import fnmatchcase

from novalike.clock import Clock
from novalike.exception import BuildFailed, Invalid, NovalikeError

OPERATIONS = (
    "spawn", "destroy", "power_on", "power_off", "reboot", "console_output", "pause", "unpause", "suspend", "resume", "inject_nmi",
    "prepare_rebuild", "replace_disks", "start_rebuilt", "abandon_rebuild", "prepare_rescue", "rescue", "unrescue", "set_password",
    "copy_disk", "open_copy", "discard_copy",
    "attach_interface", "detach_interface", "attach_volume", "detach_volume", "swap_volume", "diagnostics",
    "move_out", "fetch", "arrive", "put_back", "drop_aside",
)
STAGES = ("start", "disks", "taps", "domain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One rule: which operation, on which guests, how often, and what happens.

    `hang` seconds pass first. Then the operation fails with `error`, or goes on when `error` is None. `times` None means
    always. `retry` is what a failed spawn says about other hosts.
    """

    operation: str
    match: str = "*"
    probability: float = 1.0
    times: int | None = None
    at: str = "start"
    hang: float = 0.0
    retry: bool = True
    error: str | None = None

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise Invalid(f"[fake]fault: unknown operation {self.operation!r}; known are {', '.join(OPERATIONS)}.")
        if self.at not in STAGES:
            raise Invalid(f"[fake]fault: unknown stage {self.at!r}; known are {', '.join(STAGES)}.")


def parse(text: str) -> Fault:
    """Read one `[fake]fault` line. Raises Invalid, naming what it does not understand."""
    words, found, error = text.partition(" error=")
    operation, *settings = words.split()
    values: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or name not in {"match", "probability", "times", "at", "hang", "retry"}:
            raise Invalid(f"[fake]fault: cannot read {setting!r} in {text!r}.")
        values[name] = value
    hang = _number(text, values.get("hang", "0"))
    return Fault(
        operation=operation, match=values.get("match", "*"), probability=_number(text, values.get("probability", "1")),
        times=int(_number(text, values["times"])) if "times" in values else None, at=values.get("at", "start"), hang=hang,
        retry=values.get("retry", "true").lower() not in {"false", "no", "0"},
        error=error.strip() if found else None if hang else f"The fake hypervisor was told to fail {operation}.",
    )


def _number(text: str, value: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise Invalid(f"[fake]fault: {value!r} in {text!r} is not a number.") from error


@dataclass
class _Rule:
    fault: Fault
    left: int | None                             # how often it still strikes; None: always


class Faults:
    """The rules of one driver."""

    def __init__(self, rules: tuple[Fault, ...], clock: Clock, seed: int | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311  # dice for faults, not a secret
        self._rules = [_Rule(rule, rule.times) for rule in rules]

    def order(self, fault: Fault) -> None:
        """Add a rule."""
        with self._lock:
            self._rules.append(_Rule(fault, fault.times))

    def clear(self) -> None:
        """Forget all rules."""
        with self._lock:
            self._rules.clear()

    def strike(self, operation: str, names: tuple[str, ...], stage: str = "start") -> None:
        """Play whatever is ordered for this operation on a guest with these names: hang, then raise or go on."""
        if not self._rules:
            return
        for fault in self._due(operation, names, stage):
            if fault.hang:
                self._clock.sleep(fault.hang)
            if fault.error is not None and operation == "spawn":
                raise BuildFailed(fault.error, retry=fault.retry)
            if fault.error is not None:
                raise NovalikeError(fault.error)

    def _due(self, operation: str, names: tuple[str, ...], stage: str) -> list[Fault]:
        due: list[Fault] = []
        with self._lock:
            for rule in self._rules:
                fault = rule.fault
                if fault.operation != operation or fault.at != stage or rule.left == 0:
                    continue
                if not any(fnmatchcase(name, fault.match) for name in names):
                    continue
                if fault.probability < 1 and self._random.random() >= fault.probability:
                    continue
                if rule.left is not None:
                    rule.left -= 1
                due.append(fault)
        return due
