"""What the suite asks the probe, and how it is refused."""

import grpc
import pytest

CODE = grpc.StatusCode
MODEL = "/v1/models/probe"


def refused(call, code, message=""):
    with pytest.raises(grpc.RpcError) as error:
        call()
    assert (error.value.code(), message in error.value.details()) == (code, True), error.value
