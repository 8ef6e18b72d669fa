"""TensorFlow Serving's behaviour, a test for each thing that clients rely on.

It can be run against TensorFlow Serving itself: see conftest.py of the folder above. Marks say
where a behaviour was seen: `-m seen_in_source`, `-m seen_running`.
"""

import pytest


@pytest.fixture
def rest(client):
    if not client.rest:
        pytest.skip("needs --rest-server")
    return client.http


@pytest.fixture(autouse=True)
def _says_where_it_was_seen(request):
    assert any(map(request.node.get_closest_marker, ("seen_in_source", "seen_running")))
