import pytest

from judging.judgement import Check, Verdict
from pipeline.gate.verdict import with_infra_check
from pipeline.runs.history import Artifact, Component, Run


def run(**blessing):
    made = Artifact(uri="b", properties=blessing)
    component = Component(id="InfraCheck", outcome="done", outputs={"blessing": made})
    return Run(id="1", components=[component] if blessing else [])


def verdict(outcome, *reasons):
    check = Check(metric="auc", required="at least 0.9", outcome="passed")
    return Verdict(outcome=outcome, checks=(check,), reasons=reasons)


BLESSED = verdict("blessed", "every threshold is reached")


def test_a_model_that_no_server_answers_for_is_not_blessed():
    found = with_infra_check(BLESSED, run(blessed=0, problem="no such op"))
    assert found.outcome == "not_blessed"
    assert found.reasons == ("InfraCheck failed: no such op",)
    assert [check.outcome for check in found.checks] == ["passed", "failed"]
    # It may also be an enrolled class that the model lacks.
    assert found.checks[-1].metric == "InfraCheck"


@pytest.mark.parametrize("outcome", ["not_blessed", "undecided"])
def test_the_judges_own_reasons_stay(outcome):
    found = with_infra_check(verdict(outcome, "too low"), run(blessed=0, problem="no such op"))
    assert found.outcome == "not_blessed"
    assert found.reasons == ("too low", "InfraCheck failed: no such op")


def test_a_served_model_keeps_its_verdict():
    found = with_infra_check(BLESSED, run(blessed=1))
    assert (found.outcome, found.reasons) == ("blessed", BLESSED.reasons)
    assert found.checks[-1].outcome == "passed"


def test_without_the_check_nothing_is_added():
    assert with_infra_check(BLESSED, run()) is BLESSED
    assert with_infra_check(BLESSED, None) is BLESSED
