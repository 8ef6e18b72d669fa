from datetime import datetime, timedelta, timezone

import pytest

from base.errors import UserError
from pipeline.monitor.period import moment, period

NOW = datetime(2026, 1, 8, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", NOW - timedelta(days=7)),
        ("90m", NOW - timedelta(minutes=90)),
        ("2026-01-01", datetime(2026, 1, 1, tzinfo=timezone.utc)),
        ("2026-01-01T10:00Z", datetime(2026, 1, 1, 10, tzinfo=timezone.utc)),
        ("2026-01-01T10:00+02:00", datetime(2026, 1, 1, 8, tzinfo=timezone.utc)),
    ],
)
def test_times(text, expected):
    assert moment("--since", text, NOW) == expected


@pytest.mark.parametrize("text", ["yesterday", "7", "7y", ""])
def test_what_is_no_time_is_refused_by_name(text):
    with pytest.raises(UserError, match=r"--since .*write 7d"):
        moment("--since", text, NOW)


def test_an_empty_period_is_refused():
    with pytest.raises(UserError, match="before the end"):
        period("1d", "2d", NOW)
