"""A candidate is checked, then published, then served."""

import numpy as np
import pytest

from serving.enroll import enroll
from tests.serving.embedded.processes import Server, eventually
from tests.serving.enroll.small_model import NEW, ask, queries, versions


def test_a_candidate_is_checked_before_it_can_be_seen(base, new):
    seen = []

    def check(candidate, images):
        assert candidate.parent != base
        assert [path.name for path in candidate.parent.iterdir()] == ["2"]
        assert (ask(candidate, queries(7))["label"] == NEW.encode()).all()
        seen.extend(images)
        assert not (base / "2").exists()

    enroll(base, {NEW: new}, check=check)
    assert seen == [(new / f"{i}.png").read_bytes() for i in range(4)]
    assert versions(base) == ["1", "2"]


def test_a_candidate_that_fails_leaves_nothing(base, new):
    def check(*_):
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        enroll(base, {NEW: new}, check=check)
    assert versions(base) == ["1"]


def test_a_server_takes_the_next_version_over(base, new, tmp_path):
    server = Server(
        tmp_path / "log",
        model_name="siamese",
        model_base_path=base,
        file_system_poll_wait_seconds=0.05,
    )
    try:
        client, images = server.client(), np.array(queries(7, 0), object)
        before, version = client.predict("siamese", "classify", image=images)
        assert (version, NEW.encode() in before["classes"]) == (1, False)
        enroll(base, {NEW: new}, ["class-2"])

        def answer():
            outputs, version = client.predict("siamese", "classify", image=images)
            return outputs if version == 2 else None

        outputs = eventually(answer, 120)
        assert [label.decode() for label in outputs["label"]] == [NEW] * 5 + ["class-0"] * 5
        assert "can't be loaded" not in server.log.read_text()
    finally:
        server.kill()
