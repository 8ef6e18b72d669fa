import pytest

from serving.embedded.options import UsageError, channel_arguments, parse_options

BASE = "--model_base_path=/models/m"


@pytest.mark.seen_in_source
def test_defaults_are_tensorflow_servings_but_for_the_address():
    options = parse_options([BASE])
    assert options.host == "127.0.0.1"
    assert (options.model_name, options.port, options.rest_api_port) == ("default", 8500, None)
    assert options.file_system_poll_wait_seconds == 1
    assert options.max_num_load_retries == 5
    assert options.load_retry_interval_micros == 60_000_000
    assert options.rest_api_timeout_in_ms == 30_000
    assert options.enable_model_warmup
    assert not options.enable_batching


@pytest.mark.parametrize(
    ("argument", "value"),
    [("--enable_batching", True), ("--enable_batching=true", True), ("--enable_batching=0", False)],
)
def test_booleans_as_tensorflow_serving_takes_them(argument, value):
    assert parse_options([BASE, argument]).enable_batching is value


def test_channel_arguments_win_over_the_limit():
    options = parse_options(
        [BASE, "--grpc_channel_arguments=grpc.max_receive_message_length=7,grpc.x=text"]
    )
    arguments = dict(channel_arguments(options))
    assert arguments["grpc.max_receive_message_length"] == 7
    assert arguments["grpc.x"] == "text"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name what to serve"),
        ([BASE, "--model_config_file=c"], "leave one out"),
        ([BASE, "--model_name="], "--model_name is empty"),
        ([BASE, "--prot=1"], "unrecognized arguments: --prot=1"),
        ([BASE, "--port=grpc"], "--port: invalid int value: 'grpc'"),
        ([BASE, "--port=70000"], "--port=70000: must be from 0 to 65535"),
        ([BASE, "--port=85", "--rest_api_port=85"], "must differ"),
        ([BASE, "--enable_batching=perhaps"], "neither true nor false"),
        ([BASE, "--batching_parameters_file=b"], "needs --enable_batching"),
        ([BASE, "--grpc_max_threads=0"], "--grpc_max_threads"),
        ([BASE, "--grpc_channel_arguments=x"], "'x' must be NAME=VALUE"),
        ([BASE, "--file_system_poll_wait_seconds=-1"], "=-1: must be at least 0"),
        ([BASE, "--max_num_load_retries=-1"], "=-1: must be at least 0"),
    ],
)
def test_what_is_wrong_is_said(arguments, message):
    with pytest.raises(UsageError, match=message):
        parse_options(arguments)
