"""The next version says that it has seen the added images."""

import pytest
from exported_model import export
from sample_images import encoded, picture

from records import training_keys
from serving.enroll import enroll
from tests.serving.enroll.small_model import NEW, ask, load, queries
from trainer.export import signatures as trainer_export


def test_the_images_are_seen_from_then_on(enrolled, base, new):
    added = {training_keys.key_of_file(file.read_bytes()) for file in new.iterdir()}
    assert len(added) == 4
    before, after = (_seen(version) for version in (enrolled.model, enrolled.version))
    assert before == [1, 2]
    assert after == sorted({1, 2} | added)
    # What was removed was learned from all the same; what cannot be used was not.
    (new / "0.png").write_bytes(b"")
    (new / "big.png").write_bytes(encoded(picture(7, 9, 80)))
    enroll(base, {NEW: new})
    last = enroll(base, remove=["class-0", NEW]).version
    assert _seen(last) == sorted(
        {1, 2} | {training_keys.key_of_file((new / f"{i}.png").read_bytes()) for i in (1, 2, 3)}
    )


def _seen(version):
    return load(version).training_keys.numpy().tolist()


def test_a_model_that_does_not_say_what_it_has_seen_still_does_not(network, new, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        init = trainer_export.ServedModel.__init__

        def older(self, *arguments, **options):
            init(self, *arguments, **options)
            del self.training_keys

        patch.setattr(trainer_export.ServedModel, "__init__", older)
        export(network, tmp_path / "models/1")
    done = enroll(tmp_path / "models", {NEW: new})
    assert not hasattr(load(done.version), "training_keys")
    assert {label.decode() for label in ask(done.version, queries(7))["label"]} == {NEW}
