"""Heat maps of errors on the page."""

import numpy as np
from sample_images import encoded, picture

from components.judge.heat_maps import HeatMaps
from pipeline.report.heat_maps import drawn
from pipeline.report.report import Findings
from tests.pipeline.report.findings import judged
from tests.pipeline.report.page import written

PNG = encoded(picture(0, 0))


def test_errors_have_heat_maps_where_there_are_some(tmp_path):
    judgement = judged()
    first, second = judgement.mistakes[:2]
    one = np.eye(7, dtype="f")
    maps = {
        first.image.id: HeatMaps(PNG, one, -one),
        second.image.id: HeatMaps(PNG, one, np.full((7, 7), np.nan, "f")),
    }
    _, text = written(tmp_path, Findings("parts", None, judgement, heat_maps=maps))
    assert "Below: which places speak for a class" in text
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count('alt="Heat map of') == 3
    assert page.count("data:image/webp") >= 3


def test_there_is_nothing_about_them_where_there_are_none(tmp_path):
    written(tmp_path, Findings("parts", None, judged()))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Heat map" not in page
    assert "Below: which places" not in page


def test_the_pictures_are_small():
    maps = {"1": HeatMaps(encoded(picture(0, 0, 224)), np.eye(7, dtype="f"), np.eye(7, dtype="f"))}
    [found] = drawn(maps).values()
    assert max(map(len, found)) < 20_000
