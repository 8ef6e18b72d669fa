"""The report of many classes and images stays a usable page."""

import numpy as np
import pytest
from sample_images import encoded, picture

from components.image_example_gen.report import ExcludedFile
from pipeline.report.report import Findings
from tests.pipeline.report.findings import summary
from tests.pipeline.report.page import written


@pytest.fixture(scope="module")
def large(judgement):
    """900 classes, 10,000 images; nearly all wrong."""
    rng = np.random.default_rng(0)
    labels = [f"class number {i:03d}" for i in range(900)]
    one = judgement.classes[0]
    cells = [
        judgement.confusion[0].model_copy(
            update={"truth": labels[i], "predicted": labels[j], "images": int(n)}
        )
        for i in range(900)
        for j, n in zip(rng.choice(900, 9, replace=False), rng.integers(1, 4, 9), strict=True)
    ]
    return judgement.model_copy(
        update={
            "classes": tuple(one.model_copy(update={"label": label}) for label in labels),
            "confusion": tuple(cells),
            "images": 10_000,
            "mistakes": judgement.mistakes[:1] * 500,
            "hard_pairs": judgement.hard_pairs[:1] * 500,
            "invalid": {f"class/{i}.png": "no image" for i in range(10_000)},
        }
    )


def test_many_classes_and_images_give_a_usable_page(large, tmp_path):
    path = tmp_path / large.mistakes[0].image.source
    path.parent.mkdir()
    path.write_bytes(encoded(picture(0, 0, size=800), "JPEG", quality=95))
    large = large.model_copy(update={"root": str(tmp_path)})
    data = summary().data.model_copy(
        update={
            "classes": {one.label: {"train": 7, "validation": 2, "test": 2}
                        for one in large.classes},
            "excluded": [ExcludedFile(path=f"x/{i}.png", reason="is empty") for i in range(3000)],
            "near_duplicates": [[f"x/{i}.png", f"x/{i + 1}.png"] for i in range(3000)],
        }
    )  # fmt: skip
    page, text = written(tmp_path, Findings("parts", summary(data=data), large))
    assert len(text) < 4_000_000
    assert "Too large to show for 900 classes" in page.text
    assert 'class="matrix"' not in text
    assert "880 more classes" in page.text
    assert text.count("class number 899") >= 2
    assert "2800 more are in summary.json" in page.text
    assert "9800 more are in judgement.json" in page.text
    assert len(page.all("img")) <= 20 * 4
    assert len(page.tags) < 40_000


def test_more_classes_than_a_page_can_hold(large, tmp_path):
    one = large.classes[0]
    classes = tuple(one.model_copy(update={"label": f"c{i}"}) for i in range(5000))
    page, text = written(
        tmp_path, Findings("parts", judgement=large.model_copy(update={"classes": classes}))
    )
    assert "4000 more classes, with a higher recall" in page.text
    assert len(text) < 4_000_000
