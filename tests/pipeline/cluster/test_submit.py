import pytest

from pipeline.cluster.settings import Kubeflow
from pipeline.cluster.submit import check_cron, connect
from pipeline.config.errors import ConfigError


@pytest.mark.parametrize(
    ("cron", "platform", "message"),
    [
        ("0 3 * * *", "kubeflow", "six fields"),
        ("daily", "kubeflow", "six fields"),
        ("0 0 3 * * *", "vertex", "five fields"),
        ("daily", "vertex", "five fields"),
    ],
)
def test_the_fields_of_a_cron_are_counted(cron, platform, message):
    check_cron("0 0 3 * * *", "kubeflow")
    check_cron("0 3 * * *", "vertex")
    check_cron("TZ=Europe/Berlin 0 3 * * *", "vertex")
    with pytest.raises(ConfigError, match=message):
        check_cron(cron, platform)


def test_vertex_needs_a_project_and_a_location():
    with pytest.raises(ConfigError, match=r"kubeflow\.vertex\.project: is required"):
        connect(Kubeflow(), "vertex")
    with pytest.raises(ConfigError, match=r"kubeflow\.vertex\.location: is required"):
        connect(Kubeflow(vertex={"project": "p"}), "vertex")
