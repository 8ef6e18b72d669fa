"""serving/deploy: the dashboard and the alerts ask for what is there."""

import promql_parser
import pytest

from tests.serving.deploy.metrics import (
    DASHBOARD,
    METRICS,
    PROMETHEUS_LABELS,
    alerts,
    base_name,
    parts,
    queried_panels,
    queries,
    selectors,
)


class TestAlerts:
    def test_ask_for_what_siamese_monitor_writes(self):
        assert set(alerts()) == {"SiameseTrafficDrifted", "SiameseMonitorStale"}
        for query in alerts().values():
            (one,) = selectors(query)
            labels = METRICS[one.name]
            assert {matcher.name for matcher in one.matchers.matchers} <= labels
            for part in parts(query):
                if isinstance(part, promql_parser.AggregateExpr):
                    assert set(part.modifier.labels) <= labels


class TestDashboard:
    @pytest.mark.parametrize("panel", queried_panels(), ids=lambda panel: panel["title"])
    def test_asks_for_what_tensorflow_serving_has(self, panel):
        for query in queries(panel):
            found = selectors(query)
            assert found
            for one in found:
                assert base_name(one.name) in METRICS
            labels = set().union(*(METRICS[base_name(one.name)] for one in found))
            labels |= PROMETHEUS_LABELS
            assert {matcher.name for one in found for matcher in one.matchers.matchers} <= labels
            for part in parts(query):
                if isinstance(part, promql_parser.AggregateExpr) and part.modifier:
                    assert set(part.modifier.labels) <= labels

    def test_quantiles_are_taken_of_buckets(self):
        for panel in queried_panels():
            for query in queries(panel):
                for part in parts(query):
                    if isinstance(part, promql_parser.Call) and "quantile" in part.func.name:
                        _, summed = part.args
                        assert "le" in summed.modifier.labels
                        assert all(one.name.endswith("_bucket") for one in selectors(summed))

    def test_shows_what_was_asked_for(self):
        used = {
            base_name(one.name)
            for panel in queried_panels()
            for query in queries(panel)
            for one in selectors(query)
        }
        used |= {one.name for query in alerts().values() for one in selectors(query)}
        assert used == set(METRICS)

    def test_health_checks_are_not_traffic(self):
        """A status request by REST is in the request count, and has a latency without an API."""
        for panel in queried_panels():
            for query in queries(panel):
                found = selectors(query)
                for one in found:
                    api = [m for m in one.matchers.matchers if m.name == "API"]
                    if one.name.endswith("request_latency_bucket"):
                        assert [(m.op, m.value) for m in api] == [
                            (promql_parser.MatchOp.NotEqual, "")
                        ]
                text = str([one.name for one in found])
                if "request_count" in text and "status!=" not in query.prettify():
                    assert "request_latency_count" in text, panel["title"]

    def test_works_with_any_prometheus(self):
        variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
        assert variables["datasource"]["query"] == "prometheus"
        assert variables["model"]["definition"] == (
            'label_values(:tensorflow:serving:request_count{model_name!=""}, model_name)'
        )
        for panel in queried_panels():
            for target in panel["targets"]:
                assert target["datasource"]["uid"] == "${datasource}"

    def test_panels_lie_beside_each_other(self):
        cells = [
            (x, y)
            for panel in DASHBOARD["panels"]
            for at in [panel["gridPos"]]
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        ]
        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) < 24
        numbers = [panel["id"] for panel in DASHBOARD["panels"]]
        assert len(numbers) == len(set(numbers))
