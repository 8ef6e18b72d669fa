from __future__ import annotations

import re

from review.plan import (
    LEAST_OF_NEW_CLASS,
    Existing,
    Layout,
    Reviewed,
    plan_changes,
)
from traffic.rows import Decision, Kept, Review

DATA = [Existing("bent/1.png", "bent"), Existing("cut/1.png", "cut")]


def labelled(name, label, *existing, group="", kept=Kept.UNKNOWN):
    review = Review(name.ljust(64, "0"), 1.0, Decision.LABEL, label, group=group)
    return Reviewed(review, kept, ".png", existing)


def said(name, decision, *existing):
    return Reviewed(Review(name.ljust(64, "0"), 1.0, decision), Kept.SUSPECT, ".png", existing)


def paths(plan):
    return sorted(plan.added)


def test_a_new_image_of_a_known_class_is_added_under_its_digest():
    plan = plan_changes(DATA, [labelled("ab", "bent")], Layout())
    assert paths(plan) == ["bent/review-ab00000000000000.png"]
    assert plan.reviewed == {"ab".ljust(64, "0"): "bent"}


def test_an_image_that_the_data_set_has_is_confirmed_corrected_or_left_out_but_not_added():
    bent, cut = DATA
    reviewed = [labelled("aa", "bent", bent), labelled("bb", "bent", cut)]
    plan = plan_changes(DATA, reviewed, Layout())
    assert not plan.added
    assert plan.confirmed == ["aa".ljust(64, "0")]
    assert plan.moved == {"cut/1.png": Existing("bent/1-2.png", "bent")}
    plan = plan_changes(DATA, [said("aa", Decision.NONE, bent)], Layout())
    assert (plan.left_out, plan.changes) == (["bent/1.png"], 1)


def test_all_copies_of_an_image_are_corrected():
    data = [Existing("bent/1.png", "bent"), Existing("bent/2.png", "bent"), DATA[1]]
    plan = plan_changes(data, [labelled("aa", "cut", *data[:2])], Layout())
    assert sorted(plan.moved) == ["bent/1.png", "bent/2.png"]


def test_a_skipped_image_and_traffic_of_no_class_change_nothing():
    reviewed = [said("aa", Decision.SKIP, DATA[0]), said("bb", Decision.NONE)]
    assert plan_changes(DATA, reviewed, Layout()).changes == 0


def test_a_suspect_that_was_removed_from_the_data_set_is_not_brought_back():
    plan = plan_changes(DATA, [labelled("aa", "bent", kept=Kept.SUSPECT)], Layout())
    assert plan.changes == 0


def test_a_new_class_waits_until_it_has_enough_images():
    few = [labelled(f"a{i}", "new") for i in range(LEAST_OF_NEW_CLASS - 1)]
    plan = plan_changes(DATA, few, Layout())
    assert plan.changes == 0
    assert plan.waiting == [
        "4 images of the new class 'new', which needs 5: review more, or enroll it meanwhile"
    ]
    plan = plan_changes(DATA, [*few, labelled("af", "new")], Layout())
    assert (plan.changes, plan.classes) == (5, ["new"])
    plan = plan_changes(DATA, [*few, labelled("af", "new")], Layout(classes=("bent", "cut")))
    assert "data.classes does not list" in plan.waiting[0]


def test_a_bad_decision_is_set_aside_and_the_others_count():
    unreadable = labelled("cc", "bent")._replace(problem="x.png: is empty")
    reviewed = [labelled("aa", "Bent"), labelled("bb", "bent"), unreadable]
    plan = plan_changes(DATA, reviewed, Layout())
    assert paths(plan) == ["bent/review-bb00000000000000.png"]
    [case, empty] = plan.set_aside.items()
    assert case[0] == "aa".ljust(64, "0")
    assert "there is a class 'bent'" in case[1]
    assert empty == ("cc".ljust(64, "0"), "x.png: is empty")


def test_a_bad_decision_does_not_count_for_a_new_class():
    reviewed = [labelled(f"a{i}", "new") for i in range(LEAST_OF_NEW_CLASS)]
    reviewed[0] = reviewed[0]._replace(problem="is empty")
    assert plan_changes(DATA, reviewed, Layout()).classes == []


def test_given_splits_are_kept_and_new_images_are_trained_on():
    data = [
        Existing("test/bent/1.png", "bent", "test"),
        Existing("train/cut/1.png", "cut", "train"),
        Existing("train/bent/2.png", "bent", "train"),
    ]
    layout = Layout("split_folders")
    reviewed = [labelled("aa", "bent"), labelled("bb", "cut", data[0])]
    plan = plan_changes(data, reviewed, layout)
    assert paths(plan) == ["train/bent/review-aa00000000000000.png"]
    assert plan.moved["test/bent/1.png"].path == "test/cut/1.png"
    # The same image as one of the test split is not trained on.
    plan = plan_changes(data, [labelled("cc", "bent", data[0])], layout)
    assert plan.changes == 0


def test_groups_become_folders_names_or_values_as_the_rule_wants_them():
    def of(layout, group="p7"):
        return paths(plan_changes(DATA, [labelled("ab", "bent", group=group)], layout))[0]

    name = "review-ab00000000000000.png"
    assert of(Layout(group_rule="sub_folder")) == f"bent/p7/{name}"
    assert of(Layout(group_rule="sub_folder"), "") == f"bent/review-ab00000000000000/{name}"
    rule = r"(p\d+)_"

    def group_of(path):
        found = re.search(rule, path)
        return found and found[1]

    layout = Layout(group_rule=rule, group_of=group_of)
    assert of(layout) == f"bent/p7_{name}"
    for group, why in (("", "without a group"), ("x7", "does not fit")):
        plan = plan_changes(DATA, [labelled("ab", "bent", group=group)], layout)
        assert not plan.reviewed
        [problem] = plan.set_aside.values()
        assert why in problem
    listed = Layout("manifest", "list.csv")
    added = plan_changes(DATA, [labelled("ab", "bent", group="p7")], listed).added
    [(_, file)] = added.values()
    assert file == Existing(f"review/{name}", "bent", None, "p7")


def test_an_image_of_a_group_goes_where_the_group_is():
    data = [
        Existing("test/bent/p7/1.png", "bent", "test", "p7"),
        Existing("train/bent/p8/1.png", "bent", "train", "p8"),
    ]
    layout = Layout("split_folders", group_rule="sub_folder")
    plan = plan_changes(data, [labelled("ab", "bent", group="p7")], layout)
    assert paths(plan) == ["test/bent/p7/review-ab00000000000000.png"]
