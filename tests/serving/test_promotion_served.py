"""Promotions, as a server that follows the file of labels answers them."""

import grpc
import pytest

from serving.promotion import Served, Shelf
from serving.version_labels import CANARY, FOLLOWING_OPTIONS, labels_file, read_labels
from tests.serving.embedded.models import publish
from tests.serving.embedded.processes import Server, eventually


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tmp_path_factory.mktemp("served") / "parts"


@pytest.fixture(scope="module")
def answers(base):
    """The version that answers a label."""
    for version in (1, 2):
        publish(base, version)
    promote(base, 1)
    options = dict(option.removeprefix("--").split("=") for option in FOLLOWING_OPTIONS)
    options |= {"model_config_file_poll_wait_seconds": 0.1, "file_system_poll_wait_seconds": 0.1}
    server = Server(base.with_name("log"), model_config_file=labels_file(base), **options)
    client = server.client()

    def ask(label=None):
        try:
            return client.predict("parts", label=label, x=[1.0])[1]
        except grpc.RpcError as e:
            return e.code()

    yield ask
    server.kill()


def shelf(base):
    return Shelf(base, Served(pipeline="parts"), wait=0.5)


def promote(base, *arguments):
    shelf(base).promote(*arguments, not_gated=True)


def test_promote_and_rollback_swap_what_stable_answers(base, answers):
    assert answers("stable") == answers() == 1
    promote(base, 2, CANARY)
    eventually(lambda: answers("canary") == 2)
    assert answers("stable") == 1
    promote(base)
    eventually(lambda: answers("stable") == 2)
    eventually(lambda: answers("canary") is grpc.StatusCode.INVALID_ARGUMENT)
    publish(base, 3)  # a newer push unloads nothing, and waits for its promotion
    shelf(base).rollback()
    eventually(lambda: answers("stable") == 1)
    eventually(lambda: answers() == 1)
    promote(base, 3)
    seen = set()
    eventually(lambda: seen.add(answers("stable")) or 3 in seen)
    assert seen <= {1, 3}  # no call is lost while the label moves
    assert read_labels(labels_file(base)).loaded == (1, 3)
