"""What axe says of the report and the page of `siamese monitor`, where there is a browser."""

from datetime import datetime, timezone

import pytest
from browser import CHROMIUM, Browser
from traffic_samples import answers, reference

from monitoring.findings import Period
from monitoring.monitor import Recorded, examine
from monitoring.settings import MonitorSettings
from pipeline.report.monitor_page import write_page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


def test_axe_finds_nothing(whole, tmp_path):
    now = datetime(2026, 1, 8, tzinfo=timezone.utc)
    period = Period(model="parts", version=1700000000, since=now, until=now, judged_version=5)
    found = examine(Recorded(answers(far=12), {}, []), reference(), period, MonitorSettings())
    write_page(tmp_path / "monitor.html", "parts", found)
    (tmp_path / "report.html").write_text(whole[1], encoding="utf-8")
    with Browser() as browser:
        for name in ("report", "monitor"):
            for width, dark in ((1400, False), (390, True)):
                browser.look(width=width, dark=dark)
                browser.open((tmp_path / f"{name}.html").as_uri())
                assert browser.violations() == [], name
                assert browser.run("document.documentElement.scrollWidth") <= width
