"""Before the embedded server, which answers as TensorFlow Serving does."""

import base64
import io
import json
import urllib.request

import pytest
from PIL import Image

from serving.client import SiameseClient
from serving.recorder.follow_ups import Shares
from tests.serving.embedded.processes import Server
from tests.serving.recorder.recorders import answers, images, recording, until
from tests.serving.stand_in import StandIn
from traffic.rows import Kept
from traffic.settings import Keeping


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    StandIn().save(folder / "parts/7")
    started = Server(folder / "log", model_name="parts", model_base_path=folder / "parts")
    yield started
    started.kill()


def _png(brightness):
    file = io.BytesIO()
    Image.new("RGB", (4, 4), (brightness,) * 3).save(file, "PNG")
    return file.getvalue()


def test_grpc_and_rest_are_recorded_alike(tmp_path, server):
    rules = Keeping(random=0.0, low_margin=0.0)
    dark, grey = _png(20), _png(120)  # the model knows the first
    asked = {
        "signature_name": "classify",
        "instances": [{"image": {"b64": base64.b64encode(each).decode()}} for each in (dark, grey)],
    }
    shares = Shares(embeddings=1.0)
    with recording(server.address, tmp_path, server.rest, rules=rules, shares=shares) as where:
        with SiameseClient(f"localhost:{where.grpc}", "parts") as client:
            known = [each.known for each in client.classify([dark, grey])]
        until(lambda: len(answers(tmp_path)) == 2)
        url = f"http://127.0.0.1:{where.rest}/v1/models/parts:predict"
        with urllib.request.urlopen(url, json.dumps(asked).encode(), timeout=20) as answer:
            assert [row["known"] for row in json.load(answer)["predictions"]] == known
    assert known == [True, False]
    first, second = answers(tmp_path)[:2], answers(tmp_path)[2:]
    assert [(each.label, each.known, each.version) for each in first] == [
        ("dark", True, 7),
        ("dark", False, 7),
    ]
    for grpc, rest in zip(first, second, strict=True):
        assert rest[1:7] == grpc[1:7]
        assert rest.digest == grpc.digest
        assert rest.margin == pytest.approx(grpc.margin, abs=1e-5)
        assert rest.embedding.tolist() == grpc.embedding.tolist()
    assert [each.kept for each in images(tmp_path)] == [Kept.UNKNOWN]
