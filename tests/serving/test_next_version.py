import os

import pytest

from serving import next_version
from serving.next_version import NextVersion, VersionError, version_folder

NOW = 1_800_000_000


@pytest.fixture(autouse=True)
def seconds(monkeypatch):
    monkeypatch.setattr(next_version.time, "time", lambda: NOW + 0.9)


def write(base, *numbers):
    for number in numbers:
        (base / str(number)).mkdir(parents=True)
        (base / str(number) / "saved_model.pb").write_bytes(b"")
    return base / str(number)


def names(base):
    return sorted(path.name for path in base.iterdir())


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ([NOW - 5], NOW),  # as if it were pushed
        ([NOW], NOW + 1),  # pushed in this second
        ([NOW + 100], NOW + 101),  # by a clock that is ahead
        ([1], 2),
        ([9, 10], 11),
    ],
)
def test_the_number_is_the_highest(tmp_path, present, expected):
    write(tmp_path, *present)
    assert NextVersion(tmp_path / str(present[0])).path == tmp_path / str(expected)


def test_half_versions_count_and_other_folders_do_not(tmp_path):
    source = write(tmp_path, 3)
    (tmp_path / "7").mkdir()
    (tmp_path / "8x").mkdir()
    (tmp_path / "٩").mkdir()  # a digit, but no server's
    assert NextVersion(source).path.name == "8"


def test_another_base_path_goes_on_from_the_source(tmp_path):
    source = write(tmp_path / "one", NOW + 5)
    assert NextVersion(source, tmp_path / "two").path == tmp_path / "two" / str(NOW + 6)
    write(tmp_path / "two", NOW + 50)
    assert NextVersion(source, tmp_path / "two").path.name == str(NOW + 51)
    unnumbered = write(tmp_path, "Format-Serving")
    assert NextVersion(unnumbered, tmp_path / "three").path.name == str(NOW)
    with pytest.raises(VersionError, match="its name is no version number; give the base path"):
        NextVersion(unnumbered)


def test_a_version_is_no_base_path(tmp_path):
    source = write(tmp_path, 1)
    with pytest.raises(VersionError, match="is a version; give the folder that holds"):
        NextVersion(source, source)


def test_the_version_that_is_meant(tmp_path):
    newest = write(tmp_path, 2, 10)
    (tmp_path / "11").mkdir()  # is being copied
    assert version_folder(tmp_path) == newest
    assert version_folder(tmp_path / "2") == tmp_path / "2"


def test_is_seen_whole_or_not_at_all(tmp_path):
    with NextVersion(write(tmp_path, 1)).candidate() as candidate:
        candidate.mkdir()
        (candidate / "a").write_text("a")
        assert candidate.name == "2"
        assert not (tmp_path / "2").exists()
        assert all(not name.isdigit() for name in names(tmp_path) if name != "1")
    assert names(tmp_path) == ["1", "2"]
    assert names(tmp_path / "2") == ["a"]


def test_an_error_leaves_nothing(tmp_path):
    def fail(version):
        with version.candidate() as candidate:
            candidate.mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail(NextVersion(write(tmp_path, 1)))
    assert names(tmp_path) == ["1"]


@pytest.mark.parametrize("appeared", [2, 3])
def test_another_version_that_appears_is_neither_hidden_nor_hides_it(tmp_path, appeared):
    def be_late(version):
        with version.candidate() as candidate:
            candidate.mkdir()
            write(tmp_path, appeared)

    with pytest.raises(VersionError, match=f"version {appeared} has appeared meanwhile"):
        be_late(NextVersion(write(tmp_path, 1)))
    assert names(tmp_path) == ["1", str(appeared)]


def test_what_a_killed_process_left_is_removed_a_day_later(tmp_path):
    source = write(tmp_path, 1)
    for name, age in (("old", 90_000), ("young", 80_000)):
        (tmp_path / f".candidate-{name}").mkdir()
        os.utime(tmp_path / f".candidate-{name}", (NOW - age, NOW - age))
    with NextVersion(source).candidate() as candidate:
        candidate.mkdir()
    assert names(tmp_path) == [".candidate-young", "1", "2"]
