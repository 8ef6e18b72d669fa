"""Tells a webhook what happened: one JSON POST, which never fails what it is told of."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_serializer, model_validator

from base.settings import Section

Event = Literal["verdict", "drift", "failure"]

FIELDS = "siamese"
"""Key of the structured fields; Slack and its like read `text` and ignore it."""


class Notify(Section):
    """The webhook, and what it is told."""

    url: SecretStr | None = Field(
        None,
        description="Address of a webhook of Slack, Mattermost, Teams or of your own. It usually "
        "holds a secret: better name an environment variable by `url_from`. Files that a run "
        "writes leave it out.",
    )
    url_from: str | None = Field(
        None, description="Name of the environment variable that holds the address."
    )
    events: tuple[Event, ...] = Field(
        get_args(Event),
        description="What it is told: `verdict` of each run that was judged, `drift` that `siamese "
        "monitor` found, `failure` of a run.",
    )
    timeout: float = Field(10, gt=0, description="Seconds that the webhook may take to answer.")

    @field_serializer("url")
    def _kept_out_of_files(self, url: SecretStr | None) -> None:
        return None

    @model_validator(mode="after")
    def _one_source(self) -> Notify:
        # Here, not as the field's own validator: messages about a field hold its value.
        if self.url is not None and not _is_address(self.url.get_secret_value()):
            raise ValueError("url must be an address that begins with https:// or http://")
        if self.url is not None and self.url_from:
            raise ValueError("url and url_from both give the address; leave one of them out")
        return self


def notify(settings: Notify, event: Event, text: str, fields: Mapping[str, Any]) -> str | None:
    """Tell the webhook of an event; without one, or if it is not told of such events, do nothing.

    The body is `{"text": text, "siamese": {"event": …, "time": …, **fields}}`.

    Args:
        settings: The section `notify` of a configuration.
        event: Its kind.
        text: A sentence or two.
        fields: What a program reads; values of JSON.

    Returns:
        Why it could not be told, for a warning: the message names the host, and nothing else of
        the address, which is a secret. None if it was told, or if there was nothing to tell.
    """
    if event not in settings.events or not (settings.url or settings.url_from):
        return None
    url = settings.url.get_secret_value() if settings.url else None
    if url is None:
        url = os.environ.get(str(settings.url_from), "").strip()
        if not _is_address(url):
            return (
                f"notify.url_from: the environment variable {settings.url_from} "
                + ("holds no address that begins with https:// or http://" if url else "is not set")
                + "; nobody was notified"
            )
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    body = {"text": text, FIELDS: {"event": event, "time": now, **fields}}
    try:
        _post(url, body, settings.timeout)
    except Exception as e:  # whatever it is: what is told of must go on
        return f"{urlsplit(url).hostname} was not notified: {_reason(e)}"
    return None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Refuse it: urllib would turn the POST into a GET, at another address."""


def _post(url: str, body: dict[str, Any], timeout: float) -> None:
    request = urllib.request.Request(
        url,
        json.dumps(body, allow_nan=False, default=str).encode(),
        {"Content-Type": "application/json", "User-Agent": "siamese-tfx"},
    )
    with urllib.request.build_opener(_NoRedirect).open(request, timeout=timeout) as answer:
        answer.read(1)


def _reason(error: Exception) -> str:
    """Return an error in words, without the address."""
    if isinstance(error, urllib.error.HTTPError):
        return f"it answered {error.code}"
    if isinstance(error, urllib.error.URLError):
        error = error.reason if isinstance(error.reason, Exception) else error
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    # Others may quote the address.
    return type(error).__name__


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
