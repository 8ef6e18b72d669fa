"""The period whose traffic is examined, from the options of the command."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime, timedelta, timezone

from base.errors import UserError

_AGO = re.compile(r"(\d{1,6})\s*(m|h|d|w)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(option: str, text: str, now: datetime) -> datetime:
    """Return a time: `7d` is seven days ago; a date or a time is that, UTC unless it says.

    Args:
        option: Its name, for the message.
        text: Its value.
        now: The present.

    Raises:
        UserError: It is none of these.
    """
    if found := _AGO.fullmatch(text.strip()):
        with contextlib.suppress(OverflowError):
            return now - timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        told = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError as e:
        raise UserError(
            f"{option} {text}: is no time; write 7d (or m, h, w) for that long ago, 2026-11-29, or "
            "2026-11-29T13:00"
        ) from e
    return told if told.tzinfo else told.replace(tzinfo=timezone.utc)


def period(since: str, until: str | None, now: datetime) -> tuple[datetime, datetime]:
    """Return start and end of the period.

    Raises:
        UserError: One of them is no time, or the period is empty.
    """
    start = moment("--since", since, now)
    end = moment("--until", until, now) if until else now
    if start >= end:
        raise UserError(f"--since {since}: is not before the end of the period, {end:%F %H:%M} UTC")
    return start, end
