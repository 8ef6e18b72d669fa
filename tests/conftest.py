"""Settings that must hold on any machine, before TensorFlow and the command line are imported.

And the fixtures that several folders share, which import what they need when they are used.
"""

import gc
import os
import sys

import pytest

from base import tensorflow_environment

os.environ.update(tensorflow_environment.DEFAULTS)
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["COLUMNS"] = "160"  # what is asserted on must not wrap


def pytest_collection_modifyitems(items):
    """Files with time limits of their own come first, the longest before the others.

    One that is started last would run alone.
    """
    limits = {item: item.get_closest_marker("timeout") for item in items}
    items.sort(key=lambda item: -limits[item].args[0] if limits[item] else 0)


@pytest.fixture(scope="session", autouse=True)
def beam_as_in_runs():
    """Beam spends as little on each step as in runs, where the tests have imported Beam."""
    if "apache_beam" in sys.modules:
        from pipeline.runs.beam_overhead import reduce_overhead

        reduce_overhead()


@pytest.fixture(scope="session", autouse=True)
def garbage_is_not_looked_for_in_modules():
    """As in runs: all tests' modules are imported by now, and stay."""
    gc.freeze()


@pytest.fixture
def service():
    """What a server answers, in this process."""
    from fake_serving import Service

    return Service()


@pytest.fixture
def address(service):
    """Where it answers."""
    from fake_serving import serving

    with serving(service) as address:
        yield address


@pytest.fixture(scope="module")
def s3_variables():
    """The environment of an S3 store on loopback, which runs as long as a file's tests."""
    from s3 import s3_server

    with s3_server() as variables:
        yield variables
