"""TensorFlow Serving's behaviour, a test for each thing that clients rely on.

It can be run against TensorFlow Serving itself: see conftest.py of the folder above.
"""

import pytest


@pytest.fixture
def rest(client):
    if not client.rest:
        pytest.skip("needs --rest-server")
    return client.http
