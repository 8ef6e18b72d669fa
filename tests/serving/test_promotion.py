import os

import pytest
from version_folders import add_version

from serving import promotion
from serving.promotion import NotBlessed, PromotionError, Served, Shelf
from serving.promotion_history import FILE, HistoryError, read_promotions
from serving.version_labels import CANARY, STABLE, Labels, labels_file, read_labels, write_labels


@pytest.fixture
def base(tmp_path):
    """A base path with four versions."""
    for number in (1, 2, 3, 4):
        add_version(tmp_path / "serving", number)
    return tmp_path / "serving"


@pytest.fixture
def shelf(base):
    """The versions, read anew; waiting is noted with what servers read meanwhile."""

    def read(**served):
        def sleep(seconds):
            read.waited.append((seconds, read_labels(labels_file(base))))

        return Shelf(base, Served(**served), wait=7, sleep=sleep)

    read.waited = []
    return read


def state(base):
    """Labels and loaded versions, as servers read them."""
    labels = read_labels(labels_file(base))
    return labels.versions, labels.loaded


def test_the_first_promotion_pins_a_version(base, shelf):
    assert shelf().served == 4  # without labels servers serve the newest
    moved = shelf().promote(3)
    assert (moved.label, moved.version, moved.before) == (STABLE, 3, 4)
    assert state(base) == ({STABLE: 3}, (3,))
    labels = read_labels(labels_file(base))
    assert (labels.name, labels.base_path) == ("parts", str(base))
    assert shelf().served == 3
    assert shelf.waited == []  # servers take a new label for a version that they do not have yet


def test_a_canary_becomes_stable(base, shelf):
    shelf().promote(1)
    moved = shelf().promote(3, CANARY)
    assert (moved.version, moved.before) == (3, None)
    assert state(base) == ({STABLE: 1, CANARY: 3}, (1, 3))
    moved = shelf().promote()
    assert (moved.label, moved.version, moved.before) == (STABLE, 3, 1)
    # The former stays loaded, so that a rollback is immediate.
    assert state(base) == ({STABLE: 3}, (1, 3))
    assert shelf.waited == []


def test_a_label_moves_to_a_version_once_servers_can_have_loaded_it(base, shelf):
    shelf().promote(1)
    shelf().promote(2)
    [(seconds, meanwhile)] = shelf.waited
    assert seconds == 7
    assert (meanwhile.versions, meanwhile.loaded) == ({STABLE: 1}, (1, 2))
    assert state(base) == ({STABLE: 2}, (1, 2))


def test_a_rollback_goes_to_the_version_before_and_on(base, shelf):
    for number in (1, 2, 4):
        shelf().promote(number)
    del shelf.waited[:]
    moved = shelf().rollback()
    assert (moved.version, moved.before) == (2, 4)
    # The one that was taken back is unloaded: it would answer requests without a label.
    assert state(base) == ({STABLE: 2}, (1, 2))
    assert shelf().rollback().version == 1
    assert shelf.waited == []  # both were loaded
    # What was served before the first promotion.
    assert shelf().previous == 4
    assert [one.how for one in read_promotions(base)] == ["promote"] * 3 + ["rollback"] * 2


def test_without_labels_the_newest_is_rolled_back(base, shelf):
    assert shelf().previous == 3
    moved = shelf().rollback()
    assert (moved.version, moved.before) == (3, 4)
    assert state(base)[0] == {STABLE: 3}
    with pytest.raises(PromotionError, match="no version was stable before 3, or it is gone"):
        shelf().rollback()


def test_a_newer_version_that_was_stable_before_is_not_held(base, shelf):
    shelf().promote(4)
    shelf().promote(2)
    assert state(base) == ({STABLE: 2}, (2,))
    assert shelf().rollback().version == 4


def test_a_rollback_passes_over_versions_that_are_gone(base, shelf):
    for number in (1, 2, 3):
        shelf().promote(number)
    os.rename(base / "2", base / "gone")
    assert shelf().previous == 1


def test_the_end_of_a_canary(base, shelf):
    shelf().promote(1)
    shelf().promote(3, CANARY)
    moved = shelf().rollback(CANARY)
    assert (moved.version, moved.before) == (None, 3)
    assert state(base) == ({STABLE: 1}, (1,))
    with pytest.raises(PromotionError, match="no version has the label 'canary'"):
        shelf().rollback(CANARY)


def test_promoting_what_is_stable_changes_how_servers_see_it_alone(base, shelf):
    shelf().promote(1)
    moved = shelf(name="siamese", base_path="/models/siamese").promote(1)
    assert (moved.version, moved.before) == (1, 1)
    assert len(read_promotions(base)) == 1
    labels = read_labels(labels_file(base))
    assert (labels.name, labels.base_path) == ("siamese", "/models/siamese")
    shelf().promote(2)  # keeps them
    assert read_labels(labels_file(base)).base_path == "/models/siamese"


def test_what_was_not_gated_is_refused_unless_it_is_said(base, shelf):
    add_version(base, 5, None, "enrolment", parent="4")
    add_version(base, 6, "undecided")
    add_version(base, 7, made_by=None)
    for number in (5, 7):
        with pytest.raises(NotBlessed, match=f"version {number} was never gated: .*--not-gated"):
            shelf().promote(number)
    with pytest.raises(NotBlessed, match="version 6 is undecided: said so; --not-gated"):
        shelf().promote(6)
    assert read_labels(labels_file(base)) is None
    for number in (5, 6, 7):
        shelf().promote(number, not_gated=True)
    assert [one.outcome for one in read_promotions(base)] == ["", "undecided", ""]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((9,), "has no version 9; the newest are 4, 3, 2, 1"),
        ((None,), "no version has the label 'canary'; name the version"),
        ((1, CANARY), "version 1 is stable already"),
    ],
)
def test_what_cannot_be(shelf, arguments, said):
    shelf().promote(1)
    with pytest.raises(PromotionError, match=said):
        shelf().promote(*arguments)


def test_a_canary_needs_a_stable_version(shelf):
    with pytest.raises(PromotionError, match="no version is stable yet"):
        shelf().promote(3, CANARY)


def test_a_folder_without_versions(tmp_path):
    with pytest.raises(PromotionError, match="holds no version"):
        Shelf(tmp_path)


def test_the_model_has_a_name(tmp_path):
    add_version(tmp_path, 1, pipeline="")
    with pytest.raises(PromotionError, match="give its name by --name"):
        Shelf(tmp_path).promote(1)
    Shelf(tmp_path, Served(pipeline="mine")).promote(1)
    assert read_labels(labels_file(tmp_path)).name == "mine"


def test_two_at_once(base, shelf):
    shelf().promote(1)
    late = shelf()
    shelf().promote(2)
    with pytest.raises(PromotionError, match=r"models\.config: was changed meanwhile; start again"):
        late.promote(3)
    assert state(base)[0] == {STABLE: 2}


def test_labels_that_were_written_by_hand(base, shelf):
    """Without a policy, and without a history."""
    write_labels(labels_file(base), Labels("m", "/m", {STABLE: 2, "old": 1}))
    moved = shelf().promote(3)
    assert (moved.version, moved.before) == (3, 2)
    assert state(base) == ({STABLE: 3, "old": 1}, (1, 2, 3))
    [(_, meanwhile)] = shelf.waited
    assert meanwhile.loaded == (1, 2, 3)
    assert shelf().previous == 2


def test_a_damaged_history_is_named(base, shelf):
    shelf().promote(1)
    with open(base / FILE, "a") as file:
        file.write("half")
    with pytest.raises(HistoryError, match="line 2 is damaged; delete it"):
        shelf()


def test_prune_leaves_what_is_loaded_and_the_newest(base, shelf):
    shelf().promote(1)
    shelf().promote(2)
    add_version(base, 5)
    assert shelf().prune(1) == [4, 3]
    assert sorted(os.listdir(base)) == ["1", "2", "5", "models.config", "promotions.jsonl"]
    assert shelf().prune(0) == [5]


def test_prune_without_labels_leaves_the_newest(base, shelf):
    assert shelf().prune(0) == [3, 2, 1]


def test_the_wait_covers_a_poll():
    from serving.version_labels import POLL_SECONDS

    assert promotion.WAIT_SECONDS > POLL_SECONDS
