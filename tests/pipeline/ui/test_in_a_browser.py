"""Clicks and keys in a real browser, where there is one; the model is `fake_serving`."""

import contextlib
import socket
import sys
import threading
import time
from datetime import datetime, timezone

import pytest
import uvicorn
from browser import CHROMIUM, Browser
from sample_images import encoded, picture

from judging.settings import METRICS
from pipeline.ui import changing
from pipeline.ui.app import PAGES
from pipeline.ui.support import Listing
from storage.lineage import Figure, Lineage, Verdict, write_lineage
from tests.pipeline.ui.test_classes import ENROLLS
from tests.pipeline.ui.test_runs import LOG
from traffic.rows import Answer, Decision, Kept, Review

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

HOSTILE = '<img src=x onerror="window.hacked=1">'


@pytest.fixture(scope="module")
def browser():
    with Browser() as found:
        yield found


@pytest.fixture
def page(browser, app):
    """The address of the interface."""
    browser.problems.clear()
    browser.look()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(
            uvicorn.Config(app, lifespan="off", log_level="error", timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, args=[[listening]])
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        browser.open("about:blank#")
        thread.join()
    assert not browser.run("window.hacked")


@pytest.fixture
def files(tmp_path):
    found = [tmp_path / f"{n}.png" for n in range(3)]
    for n, file in enumerate(found):
        file.write_bytes(encoded(picture(0, n)))
    return found


def test_try_one_image_many_and_two(browser, page, files, tmp_path):
    browser.open(f"{page}/")
    browser.see("document.querySelector('#state.ready')")
    browser.choose_files("#drop-one input", files[0])
    browser.see("document.querySelector('.result .verdict')")
    assert "a" in browser.text(".verdict strong")
    browser.see("document.querySelector('.neighbours img').naturalWidth === 32")
    (tmp_path / "none.png").write_bytes(b"no image")
    browser.choose_files("#drop-one input", *files, tmp_path / "none.png")
    browser.see("document.querySelectorAll('.tile:not(:disabled)').length === 4")
    assert browser.text("#many").count("not usable") == 1
    browser.see("document.querySelector('#progress').innerText === ' 4 of 4, 1 not usable'")
    browser.click("#many .tile:last-child")
    assert "none.png is no image" in browser.text("#answer")
    assert not [one for one in browser.problems if "Content Security" in one], browser.problems
    browser.click("input[value=two]")
    browser.choose_files("#drop-left input", files[0])
    browser.choose_files("#drop-right input", files[1])
    browser.see("document.querySelector('#comparison .verdict')")
    assert "Different classes" in browser.text("#comparison")


def test_review_by_keys(browser, page, place):
    with place.store() as store:
        for n in range(5):
            store.add_image(encoded(picture(0, n)), Kept.UNKNOWN, n, source=HOSTILE)
    browser.open(f"{page}/review")
    browser.see("document.querySelector('#said .verdict')")
    assert "5 to review" in browser.text("#count")
    assert HOSTILE in browser.text("#about")
    browser.press("Enter")
    browser.press("n")
    browser.press("u")
    browser.press("s")
    browser.press("/")
    browser.type(HOSTILE)
    browser.press("Enter")
    browser.see("document.querySelector('#count').textContent.startsWith('2 to review, 3')")
    browser.see("document.querySelectorAll('#classes button').length === 3")
    assert browser.text("#classes") == f"1 \\xffb\na a\n2 {HOSTILE}"
    browser.press("2")

    def decisions():
        with place.store() as store:
            return [(one.decision, one.label) for one in store.reviews()]

    expected = [
        (Decision.LABEL, "a"),
        (Decision.SKIP, ""),
        (Decision.LABEL, HOSTILE),
        (Decision.LABEL, HOSTILE),
    ]
    end = time.monotonic() + 20
    while sorted(decisions()) != sorted(expected) and time.monotonic() < end:
        time.sleep(0.05)
    assert sorted(decisions()) == sorted(expected)


def test_the_key_of_a_class_is_its_name(browser, page, place):
    """Also if the class is known only when the model answers, and another one has got its key."""
    with place.store() as store:
        for n in range(12):
            digest = store.add_image(encoded(picture(0, n)), Kept.UNKNOWN, n)
            if n < 11:  # 1 to 9, 0 and `a` are taken
                store.review(Review(digest, n, Decision.LABEL, f"c{n:02}"))
    browser.open(f"{page}/review")
    browser.see("document.querySelector('#said .verdict')")
    browser.see("document.querySelectorAll('#classes button').length === 13")
    keys = browser.text("#classes").splitlines()
    assert keys[:3] == ["b \\xffb", "a a", "1 c00"]
    assert keys[-1] == "c c10"


def test_two_people_review_the_same_image(browser, page, place):
    with place.store() as store:
        digest = store.add_image(encoded(picture(0, 1)), Kept.UNKNOWN, 1)
    browser.open(f"{page}/review")
    browser.see("document.querySelector('#said .verdict')")
    said = f'{{digest: "{digest}", decision: "label", label: "b", reviewer: "Ada"}}'
    browser.run(f"fetch('/api/review', {{method: 'POST', body: JSON.stringify({said})}})")
    browser.press("n")
    browser.see("document.querySelector('#conflict').open")
    assert "Ada says: b. You say: none of the classes." in browser.text("#conflict")
    browser.click("#mine")
    browser.see("!document.querySelector('#conflict').open")
    with contextlib.suppress(AssertionError):
        browser.see("false", seconds=0.5)
    with place.store() as store:
        assert store.review_of(digest).decision is Decision.NONE


def test_a_class_is_enrolled(browser, page, place, files, monkeypatch):
    base = place.settings.root / "serving"
    (base / "3").mkdir(parents=True)
    (base / "3/saved_model.pb").write_text("old")
    listing = Listing(3, {"a": ["a/0.png"], HOSTILE: ["a/1.png", "a/2.png"]}, {}, {})
    monkeypatch.setattr(place.support, "listing", lambda: listing)
    enrolls = ENROLLS.replace(
        '"classes": {"a": 5}', '"classes": {"a": 5}, "before": {}, "after": {}, "unusable": []'
    )
    monkeypatch.setattr(
        changing, "_command", lambda b, o, f, c: [sys.executable, "-c", enrolls, str(b), str(o)]
    )
    browser.open(f"{page}/classes")
    browser.see("document.querySelectorAll('.class').length === 2")
    assert HOSTILE in browser.text("#classes")
    browser.run("document.querySelector('#label').value = 'crack'")
    browser.choose_files("#files", *files)  # before a name is given: nothing
    browser.click("#new button")
    browser.choose_files("#files", *files)
    browser.see("document.querySelector('#changes')?.innerText.includes('crack with 3 images')")
    browser.click(".thumb")
    browser.click("#changes .danger")
    browser.see("document.querySelector('#changes').innerText.includes('Remove a/0.png')")
    browser.click("#prepare")
    browser.see("document.querySelector('#result-title').textContent.startsWith('What')")
    assert not (base / "4").exists()
    browser.click("#result-buttons .main")
    browser.see("!document.querySelector('#result').open")
    assert (base / "4/saved_model.pb").is_file()


def test_two_versions_side_by_side_fit_a_phone(browser, page, place):
    figure = Figure(value=0.95, low=0.5, high=1.0, images=40)
    verdict = Verdict(
        outcome="blessed", figures=dict.fromkeys(METRICS, figure), time=datetime.now(timezone.utc)
    )
    for number in (3, 4):
        version = place.settings.root / f"serving/{number}"
        version.mkdir(parents=True)
        (version / "saved_model.pb").touch()
        lineage = Lineage(made_by="enrolment", parent="1764425280", verdict=verdict)
        write_lineage(version, lineage)
    browser.look(width=390, height=860)
    browser.open(f"{page}/models")
    browser.see("document.querySelectorAll('.run').length === 2")
    browser.run("document.querySelectorAll('.run input').forEach((one) => one.click())")
    browser.click("#compare")
    browser.see("document.querySelector('#sure').open")
    title = browser.run("document.querySelector('#sure-title').getBoundingClientRect().top")
    assert 0 <= title < 200  # not scrolled away
    region = "document.querySelector('#sure .scroll')"
    assert browser.run(f"{region}.scrollWidth <= {region}.clientWidth")
    widths = "[...document.querySelectorAll('#sure tbody th')].map((one) => one.clientWidth)"
    assert browser.run(f"Math.min(...{widths})") > 60
    assert browser.violations() == []


RUNS = """
import pathlib, sys, time
from pipeline.runs.folder_lock import locked
folder = pathlib.Path(sys.argv[1])
with locked(folder.parent.parent):
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text(sys.argv[2])
    (folder / "report.html").write_text("<h1>The report</h1><script>window.hacked = 1</script>")
    (folder / "config.yaml").touch()
    time.sleep(60)
"""


def test_a_run_is_started_watched_and_stopped(browser, page, place):
    folder = place.settings.root / "runs/20261129-000000"
    place.runner._command = [sys.executable, "-c", RUNS, str(folder), LOG]
    browser.open(f"{page}/runs")
    browser.see("document.querySelector('#runs').innerText.includes('A run reads the images')")
    browser.click("#start:enabled")
    browser.click("#yes")
    browser.see("document.querySelector('#watch li.done')?.innerText.includes('ImageExampleGen')")
    assert browser.text("#watch h2") == "Running: Trainer"
    browser.see("document.querySelector('#start').disabled")
    browser.click("#stop:not([hidden])")
    browser.see("document.querySelector('#watch h2')?.textContent === 'Ended: interrupted'")
    assert "Trainer" in browser.text("#watch li.unfinished")
    browser.see("document.querySelector('#runs').innerText.includes('Interrupted')")
    browser.see("!document.querySelector('#start').disabled")
    browser.open(browser.run("document.querySelector('#runs a').href"))
    assert browser.text("h1") == "The report"


@pytest.mark.parametrize("path", PAGES)
def test_pages_fit_a_phone_and_name_what_is_pressed(browser, page, path):
    browser.look(width=420, height=860, dark=True)
    browser.open(f"{page}/{path}")
    browser.see("document.querySelector('#state.ready')")
    assert browser.run("document.documentElement.scrollWidth") <= 420
    unnamed = "[...document.querySelectorAll('button, input, select')].filter((one) => "
    unnamed += (
        "one.checkVisibility() && !one.innerText && !one.labels?.length && !one.ariaLabel).length"
    )
    assert browser.run(unnamed) == 0
    assert browser.run("document.querySelectorAll('h1').length") == 1


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (390, True)])
def test_axe_finds_nothing(browser, page, place, files, monkeypatch, width, dark):
    with place.store() as store:
        store.add_image(encoded(picture(0, 1)), Kept.UNKNOWN, 1)
        store.add_answers([Answer(time.time(), "mine", 3, "a", True, probability=0.9)])
    version = place.settings.root / "serving/3"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_text("old")
    listing = Listing(3, {"a": ["a/0.png"]}, {"a": (1, 1)}, {"same": 0.5})
    monkeypatch.setattr(place.support, "listing", lambda *_: listing)
    shown = {
        "": "document.querySelector('.neighbours img')",
        "review": "document.querySelector('.neighbours img')",
        "classes": "document.querySelector('.class .thumb')",
        "models": "document.querySelector('.traffic strong') && document.querySelector('.run')",
        "runs": "document.querySelector('#runs li')",
    }
    assert set(shown) == set(PAGES)
    browser.look(width=width, height=860, dark=dark)
    for path, is_shown in shown.items():
        browser.open(f"{page}/{path}")
        browser.see("document.querySelector('#state.ready')")
        if not path:
            browser.choose_files("#drop-one input", files[0])
        browser.see(is_shown)
        assert browser.violations() == [], path
        assert browser.run("document.documentElement.scrollWidth") <= width
