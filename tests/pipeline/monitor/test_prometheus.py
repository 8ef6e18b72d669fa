import re
from datetime import datetime, timezone

from prometheus_client.parser import text_string_to_metric_families
from traffic_samples import answers, reference

from monitoring.findings import Period
from monitoring.monitor import Recorded, examine
from monitoring.settings import MonitorSettings
from pipeline.monitor.prometheus import metrics, write_metrics

NOW = datetime(2026, 1, 8, tzinfo=timezone.utc)


def findings(**changes):
    period = Period(model='a "model"\n', version=3, since=NOW, until=NOW, judged_version=3)
    return examine(Recorded(answers(**changes), {}, []), reference(), period, MonitorSettings())


def test_metrics_are_read_again():
    found = findings(far=12)
    families = {one.name: one for one in text_string_to_metric_families(metrics(found))}
    outcomes = families["siamese_monitor_outcome"].samples
    assert {one.labels["outcome"]: one.value for one in outcomes} == {
        "fine": 0,
        "drifted": 1,
        "too_few": 0,
    }
    assert outcomes[0].labels["model"] == 'a "model"\n'
    shares = families["siamese_monitor_unknown_share"].samples
    assert {one.labels["sample"]: one.value for one in shares}["traffic"] == found.unknown.value
    assert all(re.fullmatch("siamese_monitor_[a-z_]+", name) for name in families)


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "siamese.prom"
    write_metrics(findings(), path)
    write_metrics(findings(), path)
    assert [one.name for one in tmp_path.iterdir()] == ["siamese.prom"]
