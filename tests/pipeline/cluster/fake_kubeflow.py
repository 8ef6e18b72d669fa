"""As much of Kubeflow Pipelines' API as the SDK asks of it, on loopback."""

import contextlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FakeKubeflow:
    """What it was sent, and what it is to answer.

    Attributes:
        address: Where it listens.
        pipelines: Ids of pipelines by name; each upload is kept in `uploads`, as bytes.
        experiments: Their names.
        runs: Bodies of the runs that were created; `recurring` alike.
        states: What `GET runs/<id>` answers, one after the other; the last one again and again.
        logs: Of pods, by name.
        refuse: Status and message that every request but the first `refuse_after` gets.
        elsewhere: Where it sends every request that it refuses with a status from 300 on.
        headers: Of the last request.
    """

    def __init__(self, address):
        self.address = address
        self.pipelines, self.uploads, self.experiments = {}, [], []
        self.runs, self.recurring, self.states, self.logs = [], [], [], {}
        self.refuse, self.refuse_after, self.asked, self.headers = None, 0, 0, {}
        self.elsewhere = None

    def answer(self, method, path, body):
        """Status and what is said."""
        self.asked += 1
        if self.refuse and self.asked > self.refuse_after:
            status, message = self.refuse
            return status, {"error": message, "code": 7, "message": message}
        path, _, query = path.partition("?")
        path = path.removeprefix("/apis/v2beta1/")
        if path == "healthz":
            return 200, {"multi_user": False}
        if path == "pipelines":
            found = [
                {"pipeline_id": number, "display_name": name}
                for name, number in self.pipelines.items()
                if name in query
            ]
            return 200, {"pipelines": found}
        if path == "pipelines/upload":
            self.uploads.append(body)
            name = re.search(r"name=([^&]*)", query).group(1)
            self.pipelines[name] = "p1"
            return 200, {"pipeline_id": "p1", "display_name": name}
        if path == "pipelines/upload_version":
            self.uploads.append(body)
            return 200, {"pipeline_id": "p1", "pipeline_version_id": f"v{len(self.uploads)}"}
        if re.fullmatch("pipelines/p1/versions", path):
            return 200, {"pipeline_versions": [{"pipeline_version_id": f"v{len(self.uploads)}"}]}
        if path == "experiments" and method == "GET":
            return 200, {}
        if path == "experiments":
            self.experiments.append(json.loads(body)["display_name"])
            return 200, {"experiment_id": "e1", "display_name": self.experiments[-1]}
        if path == "runs":
            self.runs.append(json.loads(body))
            return 200, {"run_id": "r1"}
        if path == "recurringruns":
            self.recurring.append(json.loads(body))
            return 200, {"recurring_run_id": "rr1"}
        if path == "runs/r1":
            state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            return (200, {"run_id": "r1", **state}) if isinstance(state, dict) else state
        if pod := re.fullmatch(r"/apis/v1beta1/runs/r1/nodes/([^/]*)/log", path):
            return (200, self.logs[pod[1]]) if pod[1] in self.logs else (404, {})
        return 404, {"error": f"no {path}"}


@contextlib.contextmanager
def fake_kubeflow():
    """Starts one, and ends it."""

    class Handler(BaseHTTPRequestHandler):
        def _do(self):
            fake.headers = dict(self.headers)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, said = fake.answer(self.command, self.path, body)
            text = said if isinstance(said, str) else json.dumps(said)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status >= 300 and fake.elsewhere:
                self.send_header("Location", fake.elsewhere)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = _do  # noqa: N815

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake = FakeKubeflow(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
