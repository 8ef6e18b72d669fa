import pytest

from base.errors import StorageError
from components.image_example_gen import beam_steps
from components.image_example_gen.splitting import Assigned


def test_a_store_that_fails_is_not_blamed_on_the_file(monkeypatch):
    def refuse(*_):
        raise StorageError("s3://bucket does not answer")

    monkeypatch.setattr(beam_steps, "image_record", refuse)
    with pytest.raises(StorageError, match="does not answer"):
        beam_steps._record((Assigned("a/0.png", "a", "train"), "hash"), "s3://bucket", 100, None)
