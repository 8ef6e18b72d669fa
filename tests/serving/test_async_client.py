"""As test_client.py, for asyncio."""

import asyncio
import io

import grpc
import pytest
from sample_images import encoded, picture

from serving.answers import Classification, Comparison
from serving.async_client import AsyncSiameseClient
from serving.client import FileAnswer, ServingError, SiameseClient

PNG = encoded(picture(0, 0))


def run(address, use, **options):
    """What an asynchronous function returns about a client of the fake service."""

    async def inside():
        async with AsyncSiameseClient(address, "parts", **options) as client:
            return await use(client)

    return asyncio.run(inside())


def test_answers_are_those_of_the_synchronous_client(address):
    async def use(client):
        await client.wait_until_available(10)
        return (
            await client.classify([PNG] * 33),
            await client.compare([PNG], [PNG], same_threshold=0.2),
            await client.embed([PNG]),
        )

    classified, compared, embedded = run(address, use)
    with SiameseClient(address, "parts") as client:
        assert classified == client.classify([PNG] * 33)
    assert isinstance(classified[0], Classification)
    assert compared == [Comparison(0.25, True, True, "", 7)]
    assert embedded[0].vector.tolist() == [1, 1, 1]


def test_folders_are_streamed_in_order_with_few_requests_at_a_time(service, address, tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(12)]
    for file in files:
        file.write_bytes(PNG)
    files[5].write_bytes(b"")
    read = []

    def lazily():
        for file in files:
            read.append(file)
            yield file

    async def use(client):
        answers, ahead = [], []
        async for each in client.classify_files(lazily(), batch_size=2, in_flight=2):
            answers.append(each)
            ahead.append(len(read) - len(answers))
        return answers, max(ahead)

    answers, ahead = run(address, use)
    assert [each.file for each in answers] == files
    assert [bool(each.answer) for each in answers] == [number != 5 for number in range(12)]
    assert ahead < 2 * 2


def test_one_refused_image_does_not_end_a_folder(service, address):
    service.failures = [(grpc.StatusCode.INVALID_ARGUMENT, "no")] * 2

    async def use(client):
        return [each async for each in client.embed_files([io.BytesIO(PNG), io.BytesIO(PNG)])]

    first, second = run(address, use)
    assert isinstance(first, FileAnswer)
    assert "a file object: " in first.problem
    assert second.answer.valid


def test_the_other_requests_are_cancelled_when_one_fails(service, address):
    service.failures = [(grpc.StatusCode.PERMISSION_DENIED, "no token")]

    async def use(client):
        with pytest.raises(ServingError, match=r"no token.*give a valid token"):
            async for _ in client.classify_files([PNG] * 8, batch_size=1, in_flight=3):
                pass
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert run(address, use) == []


def test_a_deadline_of_one_call(service, address):
    service.gate.clear()

    async def use(client):
        with pytest.raises(ServingError, match=r"increase the timeout \(0\.3 s\)"):
            await client.classify([PNG], timeout=0.3)

    run(address, use)
    service.gate.set()


def test_metadata_of_the_connection_and_of_a_call(service, address):
    async def use(client):
        await client.classify([PNG], metadata=[("b", "2")])

    run(address, use, metadata=[("A", "1")])
    assert {("a", "1"), ("b", "2")} <= {tuple(each) for each in service.metadata[0]}


def test_a_server_that_is_not_up_yet_is_waited_for(address):
    async def use(client):
        with pytest.raises(ServingError, match="serves no version of 'parts' after 0 s"):
            await client.wait_until_available(0)

    run("localhost:1", use)
