"""The period of usage in which a moment lies."""

from __future__ import annotations

from datetime import datetime, timedelta


def completed(period: str, before: datetime) -> tuple[datetime, datetime]:
    """Answer beginning and end of the last period which was over at a moment."""
    end = current(period, before)[0]
    return current(period, end - timedelta(microseconds=1))[0], end


def current(period: str, now: datetime) -> tuple[datetime, datetime]:
    """Answer (beginning, now) of the present period. `period` is an instance_usage_audit_period such as `month` or `day@6`."""
    unit, _, text = period.partition("@")
    offset = int(text) if text else 0
    if unit == "hour":
        begin = now.replace(minute=min(offset, 59), second=0, microsecond=0)
        return (begin if begin <= now else begin - timedelta(hours=1)), now
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "day":
        begin = midnight.replace(hour=min(offset, 23))
        return (begin if begin <= now else begin - timedelta(days=1)), now
    if unit == "month":
        day = min(max(offset, 1), 28)            # every month has it
        begin = midnight.replace(day=day)
        if begin > now:
            begin = (begin.replace(day=1) - timedelta(days=1)).replace(day=day)
        return begin, now
    begin = midnight.replace(month=min(max(offset, 1), 12), day=1)
    return (begin if begin <= now else begin.replace(year=begin.year - 1)), now
