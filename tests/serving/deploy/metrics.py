"""What the dashboard and the alerts ask Prometheus for."""

import json
import re

import promql_parser
import yaml

from tests.serving.deploy.files import DEPLOY

DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/serving.json").read_text())

# TensorFlow Serving's metrics that the dashboard may use, and their labels. Read from its source
# (tensorflow_serving/) and TensorFlow's; its exporter writes each / of a name as a colon.
METRICS = {
    # servables/tensorflow/util.cc
    ":tensorflow:serving:request_count": {"model_name", "status"},
    ":tensorflow:serving:request_latency": {"model_name", "API", "entrypoint"},
    ":tensorflow:serving:runtime_latency": {"model_name", "API", "runtime"},
    # servables/tensorflow/saved_model_warmup_util.cc
    ":tensorflow:serving:model_warmup_latency": {"model_path", "status"},
    # batching/batching_session.cc, batching/batching_util.h
    ":tensorflow:serving:batching_session:queuing_latency": {"thread_pool_name"},
    ":tensorflow:serving:batching_session:input_batch_size": set(),
    ":tensorflow:serving:batching_session:processed_batch_size": set(),
    # tensorflow/cc/saved_model/loader.cc
    ":tensorflow:cc:saved_model:load_attempt_count": {"model_path", "status"},
    ":tensorflow:cc:saved_model:load_latency": {"model_path"},
    # pipeline/monitor/prometheus.py
    "siamese_monitor_unknown_share": {"model", "version", "sample"},
    "siamese_monitor_drift_detected": {"model", "version", "test"},
    "siamese_monitor_outcome": {"model", "version", "outcome"},
    "siamese_monitor_accuracy": {"model", "version", "kind", "bound"},
    "siamese_monitor_images": {"model", "version"},
    "siamese_monitor_period_end_seconds": {"model", "version"},  # in an alert
    # Prometheus' own
    "up": set(),
}
PROMETHEUS_LABELS = {"job", "instance", "le"}
ONLY_TENSORFLOW_SERVING = "Only TensorFlow Serving has it."


def queried_panels():
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries(panel):
    """A panel's queries, with Grafana's variables filled in."""
    for target in panel["targets"]:
        text = target["expr"].replace("$__rate_interval", "1m").replace("$model", ".*")
        assert "$" not in text
        yield promql_parser.parse(text)


def parts(query):
    """A query and all that it is made of."""
    yield query
    for name in ("lhs", "rhs", "expr", "args", "vector_selector"):
        inner = getattr(query, name, None) or []
        for one in inner if isinstance(inner, list) else [inner]:
            yield from parts(one)


def selectors(query):
    return [one for one in parts(query) if isinstance(one, promql_parser.VectorSelector)]


def alerts():
    """The expressions of the alert rules, by name."""
    (group,) = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: promql_parser.parse(rule["expr"]) for rule in group["rules"]}


def base_name(series):
    """The metric of a series: a histogram has three kinds."""
    name = re.sub(r"_(bucket|sum|count)$", "", series)
    return name if name in METRICS else series
