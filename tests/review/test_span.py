from __future__ import annotations

import csv
import os
import shutil

import pytest

from review import span as spans_of_reviews
from review.plan import Existing, Layout, SpanError
from review.span import current_span, undo_span, write_span
from storage.spans import SpanRecord
from traffic.rows import Decision, Kept, Review
from traffic.store import TrafficStore

PNG = b"\x89PNG"


@pytest.fixture
def store(tmp_path):
    with TrafficStore(tmp_path / "traffic", create=True) as made:
        yield made


@pytest.fixture
def root(tmp_path):
    """A data root with one span of two classes with two images each."""
    for label in ("bent", "cut"):
        for i in range(2):
            path = tmp_path / "parts" / "span-1" / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(PNG + f"{label} {i}".encode())
    return f"{tmp_path}/parts/span-{{SPAN}}"


def say(store, content, label=None, kept=Kept.UNKNOWN, decision=Decision.LABEL, group=""):
    digest = store.add_image(PNG + content.encode(), kept, 1.0)
    store.review(Review(digest, 2.0, decision, label or "", group=group), replace=True)
    return digest


def data(root):
    place = current_span(root).root
    return [
        Existing(str(path.relative_to(place)), path.parent.name)
        for path in sorted(place.glob("*/*.*"))
    ]


def write(store, root, layout=None, files=None, **options):
    found = data(root) if files is None else files
    return write_span(store, current_span(root), found, layout or Layout(), **options)


def contents(folder):
    return sorted((p.parent.name, p.read_bytes()[4:].decode()) for p in folder.glob("*/*.*"))


FIRST = [("bent", "bent 0"), ("bent", "bent 1"), ("cut", "cut 0"), ("cut", "cut 1")]


def test_reviewed_images_become_the_next_span_and_the_last_one_stays(store, root, tmp_path):
    digest = say(store, "new", "bent")
    say(store, "cut 1", "bent", Kept.SUSPECT)
    say(store, "cut 0", kept=Kept.SUSPECT, decision=Decision.NONE)
    found = write(store, root)
    assert found.span.root == tmp_path / "parts" / "span-2"
    assert contents(found.span.root) == [
        ("bent", "bent 0"), ("bent", "bent 1"), ("bent", "cut 1"), ("bent", "new"),
    ]  # fmt: skip
    assert contents(tmp_path / "parts" / "span-1") == FIRST
    record = SpanRecord.read(str(found.span.root))
    assert record.added == {f"bent/review-{digest[:16]}.png": digest}
    assert record.moved == {"cut/1.png": "bent/1-2.png"}
    assert record.left_out == ["cut/0.png"]
    assert {review.span for review in store.reviews()} == {2}
    assert write(store, root).span is None  # nothing is left


def test_too_few_changes_wait(store, root):
    say(store, "new", "bent")
    say(store, "cut 1", "cut", Kept.SUSPECT)  # confirmed: no change
    assert write(store, root, at_least=2).span is None
    assert write(store, root).span is not None


def test_a_new_class_is_recorded_in_this_and_later_spans(store, root):
    for i in range(5):
        say(store, f"new {i}", "dent")
    assert SpanRecord.read(str(write(store, root).span.root)).classes == ["dent"]
    say(store, "more", "dent")
    assert SpanRecord.read(str(write(store, root).span.root)).classes == ["dent"]


class Killed(BaseException):
    pass


STEPS = ["_write_files", "_link", "_record", "os.rename", "set_span"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_step_no_image_is_lost_or_added_twice(
    store, root, tmp_path, monkeypatch, step, when
):
    say(store, "new", "bent")
    say(store, "cut 1", "bent", Kept.SUSPECT)
    owner, name = {"os.rename": (os, "rename"), "set_span": (store, "set_span")}.get(
        step, (spans_of_reviews, step)
    )
    real = getattr(owner, name)

    def killed(*arguments):
        if when == "after":
            real(*arguments)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, killed)
        with pytest.raises(Killed):
            write(store, root)
    for _ in range(2):
        write(store, root)
    newest = current_span(root)
    assert newest.number == 2
    assert contents(newest.root) == [
        ("bent", "bent 0"), ("bent", "bent 1"), ("bent", "cut 1"), ("bent", "new"),
        ("cut", "cut 0"),
    ]  # fmt: skip
    assert {review.span for review in store.reviews()} == {2}
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["span-1", "span-2"]


def test_a_span_can_be_undone_and_decided_anew(store, root):
    digest = say(store, "cut 1", "bent", Kept.SUSPECT)
    write(store, root)
    assert undo_span(store, root).number == 2
    assert current_span(root).number == 1
    store.undo_review(digest)
    assert write(store, root).span is None
    assert contents(current_span(root).root) == FIRST
    with pytest.raises(SpanError, match="was not made from reviewed images"):
        undo_span(store, root)


def test_an_undo_whose_span_before_is_gone_is_refused(store, root, tmp_path):
    say(store, "new", "bent")
    write(store, root)
    shutil.rmtree(tmp_path / "parts" / "span-1")
    with pytest.raises(SpanError, match="the span 1 that it was made from is gone"):
        undo_span(store, root)


def test_a_manifest_is_written_anew_and_not_changed_in_place(store, root, tmp_path):
    first = tmp_path / "parts" / "span-1"
    (first / "list.csv").write_text("path;label\nbent/0.png;bent\ncut/0.png;cut\n")
    files = [Existing("bent/0.png", "bent"), Existing("cut/0.png", "cut", None, "p1")]
    digest = say(store, "new", "bent", group="p7")
    say(store, "cut 0", "bent", Kept.SUSPECT)
    found = write(store, root, Layout("manifest", "list.csv"), files)
    with (found.span.root / "list.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    added = f"review/review-{digest[:16]}.png"
    assert rows == [
        ["path", "label", "split", "group"],
        ["bent/0.png", "bent", "", ""],
        ["cut/0.png", "bent", "", "p1"],
        [added, "bent", "", "p7"],
    ]
    assert (found.span.root / added).read_bytes() == PNG + b"new"
    assert (first / "list.csv").read_text().startswith("path;label")
    say(store, "newer", "bent")
    with pytest.raises(SpanError, match="outside of the span"):
        write(store, root, Layout("manifest", "../list.csv"), files)


def test_without_hard_links_files_are_copied(store, root, monkeypatch):
    def none(*_):
        raise OSError(95, "not supported")

    monkeypatch.setattr(os, "link", none)
    say(store, "new", "bent")
    assert len(contents(write(store, root).span.root)) == 5


def test_spans_that_are_numbers_alone_are_prepared_outside_their_pattern(store, tmp_path):
    for label in ("bent", "cut"):
        (tmp_path / "parts" / "1" / label).mkdir(parents=True)
        (tmp_path / "parts" / "1" / label / "0.png").write_bytes(PNG + label.encode())
    root = f"{tmp_path}/parts/{{SPAN}}"
    assert spans_of_reviews._unfinished(current_span(root).next()).parent == tmp_path
    say(store, "new", "bent")
    assert write(store, root).span.root == tmp_path / "parts" / "2"


def test_a_data_root_without_spans_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(SpanError, match=r"Once: mv (\S+)/parts \1/parts-1, and set data.root"):
        current_span(f"{tmp_path}/parts")
    with pytest.raises(SpanError, match=r"there is no folder .*/span-1; put"):
        current_span(f"{tmp_path}/span-{{SPAN}}")


def test_images_that_cannot_be_read_are_set_aside_and_the_others_written(store, root):
    good, changed, missing, bad = (say(store, name, "bent") for name in ("g", "c", "m", "bad"))
    store.image_path(changed).write_bytes(b"other")
    store.image_path(missing).unlink()
    found = write(
        store, root, problem_of=lambda content: "is no image" if content.endswith(b"bad") else ""
    )
    assert list(found.plan.reviewed) == [good]
    reasons = {changed: "has changed", missing: "cannot be read", bad: "is no image"}
    assert set(found.plan.set_aside) == set(reasons)
    for digest, why in reasons.items():
        assert why in found.plan.set_aside[digest]
        assert store.review_of(digest).span is None  # written once it can be read


def test_an_image_of_the_data_set_is_corrected_without_the_kept_file(store, root):
    digest = say(store, "cut 1", "bent", Kept.SUSPECT)
    store.image_path(digest).unlink()
    assert write(store, root).plan.moved
