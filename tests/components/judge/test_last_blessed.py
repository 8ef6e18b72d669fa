from components.judge.last_blessed import last_served
from serving.version_labels import Labels, labels_file, write_labels


def add(base, number, content):
    (base / str(number)).mkdir(parents=True)
    (base / str(number) / "saved_model.pb").write_text(content)
    return str(base / str(number))


def test_the_newest_that_is_not_the_candidate(tmp_path):
    base, candidate = tmp_path / "serving", add(tmp_path, "candidate", "c")
    assert last_served(str(base), candidate) is None
    add(base, 1, "a")
    second = add(base, 2, "b")
    assert last_served(str(base), candidate) == second
    add(base, 3, "c")  # it was pushed, and is judged again
    assert last_served(str(base), candidate) == second
    assert last_served(str(base), second) == str(base / "3")


def test_with_labels_the_stable_one(tmp_path):
    base, candidate = tmp_path / "serving", add(tmp_path, "candidate", "c")
    first, second = add(base, 1, "a"), add(base, 2, "b")
    write_labels(labels_file(base), Labels("m", "/m", {"stable": 1}, (1,)))
    assert last_served(str(base), candidate) == first
    assert last_served(str(base), first) == second  # the stable one is judged again
    write_labels(labels_file(base), Labels("m", "/m", {"stable": 7}, (7,)))
    assert last_served(str(base), candidate) == second  # the stable one is gone
