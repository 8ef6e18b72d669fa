import io
from datetime import datetime, timezone

from rich.console import Console
from traffic_samples import answers, reference

from monitoring.findings import Period
from monitoring.monitor import Recorded, examine
from monitoring.settings import MonitorSettings
from pipeline.monitor.output import accuracy_lines, sentence, show

NOW = datetime(2026, 1, 8, tzinfo=timezone.utc)


def test_eighty_columns_hold_all_numbers():
    period = Period(model="parts", version=1700000000, since=NOW, until=NOW, judged_version=5)
    found = examine(
        Recorded(answers(far=12), {}, []), reference(), period, MonitorSettings(class_mix=True)
    )
    printed = io.StringIO()
    show(Console(file=printed, width=80), found.model_copy(update={"reasons": ("short",)}))
    text = printed.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for test in found.tests:
        assert f"{test.p_value:.4f}" in text
    assert "…" not in text


def test_a_name_with_control_characters_is_printable():
    period = Period(model="a", version=1, since=NOW, until=NOW)
    found = examine(Recorded([], {}, []), reference(), period, MonitorSettings())
    assert "\x1b" not in sentence(found.model_copy(update={"reasons": ("x\x1b[31m",)}))


def test_skipped_images_are_counted():
    period = Period(model="a", version=1, since=NOW, until=NOW)
    found = examine(Recorded([], {}, []), reference(), period, MonitorSettings())
    assert "skipped in the review" not in dict(accuracy_lines(found))
    skipped = found.reviewed.model_copy(update={"skipped": 3})
    lines = dict(accuracy_lines(found.model_copy(update={"reviewed": skipped})))
    assert lines["skipped in the review"] == "3, of which people could not tell the class"
