"""As `serving.client`, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from serving.answers import (
    Classification,
    Comparison,
    Embedding,
    classifications,
    comparisons,
    embeddings,
)
from serving.async_connection import AsyncConnection
from serving.client import Outputs, in_parts, pairs_in_parts
from serving.endpoint import Metadata
from serving.explanation import Explanation, explain_inputs, explanation, has_no_explain
from serving.file_batch import Answer, FileAnswer, FileBatch
from serving.occlusion import occluded, of_class, of_pair
from serving.query_image import QueryImage
from serving.serving_error import ServingError, is_refusal
from serving.streaming import batches, in_order_async


class AsyncSiameseClient(AsyncConnection):
    """Sends images to one model of a server, from one event loop.

    Images are read in threads. Arguments, answers and errors are those of
    `serving.client.SiameseClient`.

    Example:
        async with AsyncSiameseClient("localhost:8500", "parts") as client:
            [answer] = await client.classify(["photo.jpg"])
            async for each in client.classify_files(Path("photos").iterdir()):
                ...
    """

    async def compare(
        self,
        left: Sequence[QueryImage],
        right: Sequence[QueryImage],
        same_threshold: float | None = None,
        timeout: float | None = None,
        metadata: Metadata = (),
    ) -> list[Comparison]:
        """As `SiameseClient.compare`."""
        return [
            answer
            for part in await asyncio.to_thread(pairs_in_parts, left, right)
            for answer in comparisons(
                *await self._ask("serving_default", part, timeout, metadata), same_threshold
            )
        ]

    async def classify(
        self,
        images: Sequence[QueryImage],
        known_threshold: float | None = None,
        timeout: float | None = None,
        metadata: Metadata = (),
    ) -> list[Classification]:
        """As `SiameseClient.classify`."""
        return [
            answer
            for part in await asyncio.to_thread(in_parts, images)
            for answer in classifications(
                await self.predict("classify", part, timeout, metadata), known_threshold
            )
        ]

    async def embed(
        self,
        images: Sequence[QueryImage],
        timeout: float | None = None,
        metadata: Metadata = (),
    ) -> list[Embedding]:
        """As `SiameseClient.embed`."""
        return [
            answer
            for part in await asyncio.to_thread(in_parts, images)
            for answer in embeddings(await self.predict("embed", part, timeout, metadata))
        ]

    async def explain(
        self,
        image: QueryImage,
        other: QueryImage | None = None,
        label: str = "",
        timeout: float | None = None,
        metadata: Metadata = (),
    ) -> Explanation:
        """As `SiameseClient.explain`."""
        inputs = await asyncio.to_thread(explain_inputs, image, other, label)
        try:
            return explanation(await self.predict("explain", inputs, timeout, metadata))
        except ServingError as e:
            if not has_no_explain(e):
                raise
        pictures = await asyncio.to_thread(occluded, inputs["image"][0])
        if other is None:
            answers = await self.classify(pictures, timeout=timeout, metadata=metadata)
            return of_class(pictures, answers, label)
        others = inputs["other"] * len(pictures)
        return of_pair(
            pictures, await self.compare(pictures, others, timeout=timeout, metadata=metadata)
        )

    async def classify_files(
        self,
        files: Iterable[QueryImage],
        batch_size: int = 16,
        in_flight: int = 4,
        known_threshold: float | None = None,
        timeout: float | None = None,
        metadata: Metadata = (),
    ) -> AsyncIterator[FileAnswer[Classification]]:
        """As `SiameseClient.classify_files`."""

        def read(outputs: Outputs) -> list[Classification]:
            return classifications(outputs, known_threshold)

        async def ask(batch: list[QueryImage]) -> list[FileAnswer[Classification]]:
            return await self._about_files("classify", batch, read, timeout, metadata)

        async for answers in in_order_async(ask, batches(files, batch_size), in_flight):
            for answer in answers:
                yield answer

    async def embed_files(
        self,
        files: Iterable[QueryImage],
        batch_size: int = 16,
        in_flight: int = 4,
        timeout: float | None = None,
        metadata: Metadata = (),
    ) -> AsyncIterator[FileAnswer[Embedding]]:
        """As `SiameseClient.embed_files`."""

        async def ask(batch: list[QueryImage]) -> list[FileAnswer[Embedding]]:
            return await self._about_files("embed", batch, embeddings, timeout, metadata)

        async for answers in in_order_async(ask, batches(files, batch_size), in_flight):
            for answer in answers:
                yield answer

    async def _about_files(
        self,
        signature: str,
        files: list[QueryImage],
        read: Callable[[Outputs], list[Answer]],
        timeout: float | None,
        metadata: Metadata,
    ) -> list[FileAnswer[Answer]]:
        batch = await asyncio.to_thread(FileBatch.read, files)
        return await self._about(signature, batch, read, timeout, metadata)

    async def _about(
        self,
        signature: str,
        batch: FileBatch,
        read: Callable[[Outputs], list[Answer]],
        timeout: float | None,
        metadata: Metadata,
    ) -> list[FileAnswer[Answer]]:
        """Return an answer about each file of a batch."""
        if not batch.images:
            return batch.answers([])
        try:
            outputs, version = await self._ask(
                signature, {"image": batch.images}, timeout, metadata
            )
        except ServingError as e:
            if not is_refusal(e):
                raise
            if len(alone := batch.apart()) == 1:
                return batch.refused(e)
            # Whichever it was: each by itself.
            return [
                answer
                for each in alone
                for answer in await self._about(signature, each, read, timeout, metadata)
            ]
        return batch.answers(read(outputs), version)
