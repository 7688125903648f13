"""Which host CPUs a guest's dedicated vCPUs get: threads of one core together, or no two on one core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from novalike.objects.hardware import ISOLATE, REQUIRE


@dataclass(frozen=True, slots=True)
class Core:
    """A core's threads, and those of them which are dedicated and free, in order."""

    threads: tuple[int, ...]
    free: tuple[int, ...]

    @property
    def whole(self) -> bool:
        """Whether all of it can be had."""
        return len(self.free) == len(self.threads)


@dataclass(frozen=True, slots=True)
class Pinned:
    """`cpus` for vCPUs in order, then one for the emulator if wanted; `blocked` beside them; `threads` of each core in use."""

    cpus: tuple[int, ...]
    emulator: tuple[int, ...] = ()
    blocked: tuple[int, ...] = ()
    threads: int = 1


def pin(cores: Sequence[Core], count: int, *, policy: str | None, emulator: bool = False) -> Pinned | None:
    """Answer host CPUs for so many vCPUs; None when there are not enough.

    isolate: each on a whole core of its own, whose other threads nobody gets. require: on cores with at least two threads
    free, side by side. Otherwise side by side where it can be. An isolated emulator takes one more, by the same rule but
    that it needs no sibling.
    """
    if policy == ISOLATE:
        return _alone(cores, count, emulator=emulator)
    usable = [core for core in cores if len(core.free) > 1] if policy == REQUIRE else [core for core in cores if core.free]
    taken = _together(usable, count)
    if taken is None:
        return None
    chosen = tuple(cpu for group in taken for cpu in group)
    own: tuple[int, ...] = ()
    if emulator:
        left = [tuple(cpu for cpu in core.free if cpu not in chosen) for core in cores]
        one = min((free for free in left if free), key=lambda free: (len(free), free), default=None)
        if one is None:
            return None
        own = one[:1]
    sizes = {len(group) for group in taken}
    return Pinned(chosen, own, threads=sizes.pop() if len(sizes) == 1 else 1)


def _alone(cores: Sequence[Core], count: int, *, emulator: bool) -> Pinned | None:
    whole = sorted((core for core in cores if core.whole), key=lambda core: (len(core.threads), core.threads))
    needed = count + emulator
    if len(whole) < needed:
        return None
    used = whole[:needed]
    firsts = tuple(core.threads[0] for core in used)
    return Pinned(firsts[:count], firsts[count:], tuple(cpu for core in used for cpu in core.threads[1:]))


def _together(cores: Sequence[Core], count: int) -> list[tuple[int, ...]] | None:
    """Best fit: the smallest core which takes all that is left, else the largest; so that whole cores stay whole."""
    if sum(len(core.free) for core in cores) < count:
        return None
    left = sorted((core.free for core in cores), key=lambda free: (len(free), free))
    taken: list[tuple[int, ...]] = []
    while count > 0:
        most = len(left[-1])
        index = next(index for index, free in enumerate(left) if len(free) >= min(count, most))
        group = left.pop(index)[:count]
        taken.append(group)
        count -= len(group)
    return taken
