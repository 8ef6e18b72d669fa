import pytest


@pytest.fixture
def artifacts():
    from tfx.types import standard_artifacts

    def model(number):
        artifact = standard_artifacts.Model()
        artifact.id = number
        return artifact

    def blessing(number, model_id, blessed, judged=True):
        artifact = standard_artifacts.ModelBlessing()
        artifact.id = number
        artifact.set_int_custom_property("current_model_id", model_id)
        artifact.set_int_custom_property("blessed", int(blessed))
        if judged:
            artifact.set_string_custom_property("verdict", "blessed" if blessed else "undecided")
        return artifact

    return model, blessing


def resolve(models, blessings, candidates):
    from components.last_blessed_model.resolver import LatestOtherBlessedModel

    found = LatestOtherBlessedModel().resolve_artifacts(
        None, {"model": models, "model_blessing": blessings, "candidate": candidates}
    )
    assert set(found) == {"model", "model_blessing", "candidate"}
    return [a.id for a in found["model"]], [a.id for a in found["model_blessing"]]


def test_takes_the_last_blessing_not_the_last_model(artifacts):
    model, blessing = artifacts
    models = [model(1), model(2), model(3), model(9)]
    blessings = [blessing(11, 2, True), blessing(12, 1, True), blessing(13, 3, False)]
    assert resolve(models, blessings, [model(9)]) == ([1], [12])


def test_leaves_the_candidate_out(artifacts):
    model, blessing = artifacts
    models = [model(1), model(2)]
    blessings = [blessing(11, 1, True), blessing(12, 2, True)]
    assert resolve(models, blessings, [model(2)]) == ([1], [11])


def test_finds_none_where_none_is_blessed(artifacts):
    model, blessing = artifacts
    assert resolve([model(1)], [blessing(11, 1, False)], [model(1)]) == ([], [])
    assert resolve([], [], []) == ([], [])


def test_the_evaluators_blessings_are_passed_over(artifacts):
    model, blessing = artifacts
    models = [model(1), model(2)]
    blessings = [blessing(11, 1, True), blessing(12, 2, True, judged=False)]
    assert resolve(models, blessings, []) == ([1], [11])
