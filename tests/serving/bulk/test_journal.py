import json

import pytest

from serving.bulk.journal import Journal

ASKED = {"model": "parts"}


def test_a_later_run_goes_on(tmp_path):
    path = tmp_path / "a.partial"
    journal = Journal(path, ASKED)
    journal.add({"image": "a", "label": "x"})
    journal.add({"image": "\udcff", "label": "y"})
    journal.close()
    again = Journal(path, ASKED)
    assert again.done == {"a", "\udcff"}
    again.add({"image": "c", "label": "z"})
    assert [row["label"] for row in again.rows()] == ["x", "y", "z"]
    again.delete()
    assert not path.exists()


@pytest.mark.parametrize("chunk", [1, 7, 2**16])
@pytest.mark.parametrize("cut", range(1, 12))
def test_half_a_line_of_a_killed_run_is_dropped(tmp_path, monkeypatch, cut, chunk):
    monkeypatch.setattr("serving.bulk.journal._CHUNK", chunk)
    path = tmp_path / "a.partial"
    journal = Journal(path, ASKED)
    journal.add({"image": "a"})
    journal.add({"image": "b"})
    journal.close()
    path.write_bytes(path.read_bytes()[:-cut])
    again = Journal(path, ASKED)
    again.add({"image": "c"})
    assert [row["image"] for row in again.rows()] == ["a", "c"]


def test_half_of_the_first_line_is_nothing(tmp_path):
    path = tmp_path / "a.partial"
    path.write_text(json.dumps(ASKED)[:-1])
    assert Journal(path, ASKED).done == set()
    assert path.read_text() == json.dumps(ASKED) + "\n"


def test_answers_to_something_else_are_not_continued(tmp_path):
    path = tmp_path / "a.partial"
    Journal(path, ASKED).close()
    with pytest.raises(ValueError, match=r"a\.partial: has the answers to something else .*parts"):
        Journal(path, {"model": "other"})


def test_one_process_at_a_time(tmp_path):
    first = Journal(tmp_path / "a.partial", ASKED)
    with pytest.raises(ValueError, match="another process is writing"):
        Journal(tmp_path / "a.partial", ASKED)
    first.close()


def test_a_folder_that_is_missing(tmp_path):
    with pytest.raises(ValueError, match="cannot be written"):
        Journal(tmp_path / "none/a.partial", ASKED)
