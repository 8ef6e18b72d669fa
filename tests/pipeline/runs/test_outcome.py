import pytest

from pipeline.runs.outcome import CheckOutcome, ComponentOutcome, Outcome


@pytest.mark.parametrize(
    ("name", "heading", "exit_code"),
    [
        ("blessed", "Blessed", 0),
        ("failed", "Failed", 1),
        ("not_blessed", "Not blessed", 3),
        ("undecided", "Undecided", 4),
        ("interrupted", "Interrupted", 130),
    ],
)
def test_outcomes_of_runs(name, heading, exit_code):
    outcome = Outcome(name)
    assert (outcome.heading, outcome.exit_code) == (heading, exit_code)
    assert f"{outcome}" == name  # on every version of Python


@pytest.mark.parametrize("outcome", [*Outcome, *CheckOutcome, *ComponentOutcome])
def test_every_outcome_can_be_shown(outcome):
    assert outcome.colour
    assert len(outcome.sign) == 1
    assert bool(outcome.emoji) == (not isinstance(outcome, ComponentOutcome))
