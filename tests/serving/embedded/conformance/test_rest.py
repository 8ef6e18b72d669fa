"""REST: the same by JSON."""

import base64
import contextlib
import gzip
import http.client
import json
import math
import socket
import urllib.error
import urllib.request

import pytest

from tests.serving.embedded.conformance.asking import MODEL


def rest_text(client, path, body=None, method=None):
    """Status and text of an answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{client.rest}{path}", data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.read().decode()


@pytest.mark.seen_in_source
class TestRestPredict:
    @staticmethod
    def ask(rest, body, path=f"{MODEL}:predict"):
        status, answer = rest(path, body)
        assert status == 200, answer
        return answer

    @pytest.mark.seen_running
    def test_rows_of_one_input(self, rest):
        assert self.ask(rest, {"instances": [1.0, 2, 0.1]}) == {"predictions": [2.5, 3.0, 2.05]}
        assert self.ask(rest, {"instances": [{"x": 1.0}]}) == {"predictions": [2.5]}

    def test_rows_of_several_inputs(self, rest):
        body = {
            "signature_name": "two_inputs",
            "instances": [{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}],
        }
        assert self.ask(rest, body) == {
            "predictions": [{"sum": 3.0, "difference": -1.0}, {"sum": 7.0, "difference": -1.0}]
        }

    def test_columns(self, rest):
        assert self.ask(rest, {"inputs": [1.0, 2.0]}) == {"outputs": [2.5, 3.0]}
        assert self.ask(rest, {"inputs": {"x": [1.0]}}) == {"outputs": [2.5]}
        body = {"signature_name": "two_inputs", "inputs": {"a": [1.0], "b": [2.0]}}
        assert self.ask(rest, body) == {"outputs": {"sum": [3.0], "difference": [-1.0]}}
        body = {"signature_name": "scalar", "inputs": 21.0}
        assert self.ask(rest, body) == {"outputs": 42.0}

    def test_versions_and_case(self, rest):
        assert self.ask(rest, {"instances": [0]}, f"{MODEL}/versions/1:predict")
        assert rest(f"{MODEL}/versions/7:predict", {"instances": [0]})[0] == 404
        status, answer = rest(f"{MODEL}/labels/nightly:predict", {"instances": [0]})
        assert (status, "Unrecognized servable version label" in answer["error"]) == (400, True)

    def test_bytes(self, rest):
        raw = base64.b64encode(b"\x00abc").decode()
        body = {"signature_name": "text", "instances": [{"b64": raw}, "text"]}
        first, second = self.ask(rest, body)["predictions"]
        assert first == {"length": 4, "same": "\x00abc", "same_bytes": {"b64": raw}}
        assert second["same_bytes"] == {"b64": base64.b64encode(b"text").decode()}

    def test_nan_and_infinity(self, rest):
        body = b'{"signature_name": "inverse", "instances": [0.0, -0.0, NaN, Infinity, 4]}'
        first, second, third, *others = self.ask(rest, body)["predictions"]
        assert (first, second, others) == (math.inf, -math.inf, [0.0, 0.25])
        assert math.isnan(third)

    @pytest.mark.seen_running
    def test_halfs_have_no_json(self, rest):
        row = {"i32": 1, "i64": 2**40, "u8": 255, "flag": True, "f64": 0.1, "f16": 0.5}
        status, answer = rest(f"{MODEL}:predict", {"signature_name": "dtypes", "instances": [row]})
        assert (status, list(answer)) == (400, ["error"])

    @pytest.mark.seen_running
    def test_layout_and_digits(self, client, rest):
        body = {"instances": [1.0, 0.1, 1 / 3]}
        assert rest_text(client, f"{MODEL}:predict", body) == (
            200,
            '{\n    "predictions": [2.5, 2.05, 2.16666675\n    ]\n}',
        )

    @pytest.mark.seen_running
    @pytest.mark.parametrize(
        "body",
        [
            b'{"instances": [1e39]}',
            b'{"instances": [-NaN]}',
            b'{"instances": [1.0], "instances": "the first counts"}',
            b'{"signature_name": "text", "instances": ["\xff"]}',
        ],
    )
    def test_what_rapidjson_takes(self, rest, body):
        assert rest(f"{MODEL}:predict", body)[0] == 200

    @pytest.mark.seen_running
    def test_an_error_names_the_element(self, rest):
        _, answer = rest(f"{MODEL}:predict", {"instances": [1.0, "a"]})
        assert "Failed to process element: 1 of 'instances' list. Error: INV" in answer["error"]

    @pytest.mark.seen_running
    def test_expect_is_answered_at_once(self, client, rest):
        host, port = client.rest.rsplit(":", 1)
        head = f"POST {MODEL}:predict HTTP/1.1\r\nHost: {host}\r\nContent-Length: 20\r\n"
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
            connection.sendall(b'{"instances": [1.0]}')
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")

    @pytest.mark.seen_running
    @pytest.mark.parametrize("encoding", ["gzip", "chunked"])
    def test_encodings_of_the_body(self, client, rest, encoding):
        body = b'{"instances": [1.0]}'
        connection = http.client.HTTPConnection(client.rest, timeout=30)
        with contextlib.closing(connection):
            if encoding == "gzip":
                headers = {"Content-Encoding": "gzip"}
                connection.request("POST", f"{MODEL}:predict", gzip.compress(body), headers)
            else:
                connection.request("POST", f"{MODEL}:predict", iter([body]), encode_chunked=True)
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())) == (200, {"predictions": [2.5]})

    @pytest.mark.seen_running
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[1]",
            {},
            {"instances": [1.0], "inputs": [1.0]},
            {"instances": []},
            {"instances": 1.0},
            {"instances": ["text"]},
            {"instances": [True]},
            {"instances": [None]},
            {"instances": [[1.0], 2.0]},
            {"instances": [{"x": 1.0}, 2.0]},
            {"instances": [{"z": 1.0}]},
            {"instances": [{"x": 1.0, "z": 1.0}]},
            {"inputs": {"z": [1.0]}},
            {"instances": [1.0], "signature_name": 7},
            {"instances": [1.0], "signature_name": "none"},
            {"instances": [1.0], "signature_name": "two_inputs"},
            {"instances": [{"a": 1.0}], "signature_name": "two_inputs"},
            {"instances": [1.5], "signature_name": "spin"},
            {"instances": [{"b64": "abc!"}], "signature_name": "text"},
            {"instances": [{"b64": "aaaa", "more": 1}], "signature_name": "text"},
            {"inputs": [[1.0, 2.0], [3.0]], "signature_name": "matrix"},
            {"instances": ["bm8="], "signature_name": "image"},
            b'{"instances": ["\\ud800"], "signature_name": "text"}',
        ],
        ids=str,
    )
    def test_what_is_refused(self, rest, body):
        status, answer = rest(f"{MODEL}:predict", body)
        assert (status, list(answer)) == (400, ["error"])
        assert answer["error"]

    def test_an_unknown_model(self, rest):
        status, answer = rest("/v1/models/other:predict", {"instances": [1.0]})
        assert status == 404
        assert "Servable not found for request: Latest(other)" in answer["error"]


@pytest.mark.seen_in_source
class TestRestModel:
    @pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/1"])
    def test_status(self, rest, path):
        status, answer = rest(path)
        assert status == 200
        assert answer == {
            "model_version_status": [
                {
                    "version": "1",
                    "state": "AVAILABLE",
                    "status": {"error_code": "OK", "error_message": ""},
                }
            ]
        }

    def test_metadata(self, rest):
        status, answer = rest(f"{MODEL}/metadata")
        assert status == 200
        assert answer["model_spec"] == {"name": "probe", "signature_name": "", "version": "1"}
        signatures = answer["metadata"]["signature_def"]["signature_def"]
        assert signatures["serving_default"]["inputs"]["x"] == {
            "dtype": "DT_FLOAT",
            "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
            "name": "serving_default_x:0",
        }

    @pytest.mark.seen_running
    @pytest.mark.parametrize(
        ("path", "code"),
        [
            ("/v1/models/other", 404),
            (f"{MODEL}/versions/7", 404),
            ("/v1/models/other/metadata", 404),
            ("/v1/models", 400),
            ("/v1/elsewhere", 400),
            (f"{MODEL}?a=b", 404),
            (f"{MODEL}/metadata?a=b", 400),
            (f"{MODEL}/versions/{'9' * 5000}", 400),
        ],
    )
    def test_what_there_is_not(self, rest, path, code):
        status, answer = rest(path)
        assert (status, list(answer)) == (code, ["error"])

    @pytest.mark.seen_running
    def test_outside(self, client, rest):
        assert rest_text(client, "/elsewhere")[0] == 404

    @pytest.mark.seen_running
    def test_names_are_decoded(self, rest):
        assert rest("/v1/models/pro%62e")[0] == 200
        assert rest("/v1/models/pro%62e:predict", {"instances": [1.0]})[0] == 200

    @pytest.mark.seen_running
    @pytest.mark.parametrize("path", [f"{MODEL}:Predict", f"{MODEL}:predict?a=b"])
    def test_malformed(self, rest, path):
        status, answer = rest(path, {"instances": [1.0]})
        assert (status, "Malformed request" in answer["error"]) == (400, True)

    @pytest.mark.seen_running
    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
    def test_the_wrong_method(self, client, rest, method):
        assert rest_text(client, f"{MODEL}:predict", method=method)[0] == 400

    @pytest.mark.seen_running
    def test_a_status_is_counted_without_an_api(self, client, rest):
        assert rest(MODEL)[0] == 200
        text = client.http_text("/monitoring/prometheus/metrics")
        counts = [line for line in text.splitlines() if "request_latency_count{" in line]
        assert any('API=""' in line and 'entrypoint="REST"' in line for line in counts)

    def test_prometheus_metrics(self, client, rest):
        client.predict(x=[0.0])
        text = client.http_text("/monitoring/prometheus/metrics")
        counts = [
            line
            for line in text.splitlines()
            if line.startswith(":tensorflow:serving:request_count{")
            and 'model_name="probe"' in line
            and 'status="OK"' in line
        ]
        assert len(counts) == 1
        assert float(counts[0].rsplit(" ", 1)[1]) >= 1
        assert ":tensorflow:serving:request_latency_bucket{" in text
