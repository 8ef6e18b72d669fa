"""The thread that reads the calls of the backlog and writes them to the store."""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence

from base.errors import UserError
from serving.recorder.backlog import Backlog
from serving.recorder.call import Call
from serving.recorder.counts import Counts
from serving.recorder.follow_ups import FollowUps
from serving.recorder.keeping import Caps, why_kept
from serving.recorder.seen import Seen, Unreadable, seen_by_grpc
from serving.recorder.seen_by_rest import seen_by_rest
from traffic.rows import Kept
from traffic.settings import Keeping
from traffic.store import TrafficStore
from traffic.stray_files import remove_stray_files

log = logging.getLogger(__name__)

_MOST_CALLS = 64
# Calls are recorded in bursts: a thread that is always busy would slow those that are passed on.
_PAUSE_SECONDS = 0.2
_RETRY_SECONDS = (1.0, 2.0, 4.0)
_TIDY_SECONDS = 3600.0
_SAY_SECONDS = 60.0
_DAY = 86400.0


class Writer:
    """Records calls in a thread of its own.

    Args:
        backlog: Where the calls come from.
        open_store: Opens the store; it may fail, and is called again.
        rules: Which images are kept.
        follow_ups: Ask the server again.
        counts: Count what is recorded and what is not.

    Attributes:
        trouble: Why nothing can be written at the moment; empty if it can.
    """

    def __init__(
        self,
        backlog: Backlog,
        open_store: Callable[[], TrafficStore],
        rules: Keeping,
        follow_ups: FollowUps,
        counts: Counts,
    ) -> None:
        self._backlog, self._open_store, self._rules = backlog, open_store, rules
        self._follow_ups, self._counts = follow_ups, counts
        self._store: TrafficStore | None = None
        self._caps = Caps(rules)
        self._tidied = self._said = -math.inf
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self.trouble = ""

    def offer(self, call: Call) -> None:
        """Have a call recorded if there is room for it; never waits."""
        if not self._backlog.put(call):
            self._counts.dropped("backlog_full")
        if self._thread is None or not self._thread.is_alive():
            self.start()

    def start(self) -> None:
        """Start the thread, also one that has died."""
        with self._starting:
            if self._stopping.is_set() or (self._thread and self._thread.is_alive()):
                return
            if self._thread is not None:
                self._counts.restarted()
            self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
            self._thread.start()

    def stop(self, seconds: float) -> None:
        """Record what waits, for some time at most, and close the store."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(seconds)
        if left := len(self._backlog):
            self._counts.dropped("stopped", left)

    def _run(self) -> None:
        self._attempt(self._opened)
        while True:
            stopping = self._stopping.is_set()
            calls = self._backlog.take(_MOST_CALLS)
            try:
                self._record(calls)
            except BaseException as e:
                self._counts.dropped("failed", len(calls))
                self._fail(e)
                if not isinstance(e, Exception):
                    raise
            self._say()
            if stopping and not calls:
                break
            if len(calls) < _MOST_CALLS:
                self._stopping.wait(_PAUSE_SECONDS)
        self._close()
        self._follow_ups.close()

    def _record(self, calls: Sequence[Call]) -> None:
        seen = self._follow_ups.complete([each for call in calls for each in self._read(call)])
        if not seen:
            return
        kept = [why_kept(answer, self._rules) for answer, _ in seen]
        for pause in (*_RETRY_SECONDS, 0):
            if self._attempt(lambda: self._write(seen, kept)):
                return
            self._stopping.wait(pause)
        # Several images come by one call.
        lost = {answer.request.partition(".")[0] for answer, _ in seen}
        self._counts.dropped("store", len(lost))

    def _attempt(self, action: Callable[[], object]) -> bool:
        """Return whether an action on the store succeeds."""
        try:
            action()
        except (UserError, OSError, sqlite3.Error) as e:
            self._fail(e)
            return False
        return True

    def _read(self, call: Call) -> list[Seen]:
        try:
            if call.rest is None:
                return seen_by_grpc(call)
            return seen_by_rest(call, self._follow_ups.version)
        except Unreadable as e:
            log.debug("call %s: %s", call.id, e)
        except Exception as e:  # whatever clients send that the server takes
            log.debug("call %s: %r", call.id, e)
        self._counts.dropped("unreadable")
        return []

    def _write(self, seen: Sequence[Seen], kept: Sequence[Kept | None]) -> None:
        store = self._opened()
        trouble, before = "", self._caps.count
        for (answer, image), why in zip(seen, kept, strict=True):
            if why is None or store.image(answer.digest) is not None:
                continue
            if not self._caps.room(why, answer.time):
                self._counts.not_kept("cap")
                continue
            try:
                store.add_image(image, why, answer.time)
            except OSError as e:  # the answers may still fit
                self._counts.not_kept("disk")
                trouble = str(e)
                continue
            self._caps.add(why, answer.time)
            self._counts.kept(why.value)
        store.add_answers(answer for answer, _ in seen)
        self._counts.recorded(len(seen))
        self.trouble = trouble
        if self._caps.count > before:
            self._limit_size(store)

    def _limit_size(self, store: TrafficStore) -> None:
        limit = self._rules.max_megabytes * 10**6
        if store.bytes_kept() > limit:
            self._counts.removed(store.remove_oldest_images(limit))

    def _opened(self) -> TrafficStore:
        if self._store is None:
            self._store = self._open_store()
            self._caps = Caps(self._rules, self._store.images())
            remove_stray_files(self._store)
        if time.monotonic() > self._tidied + _TIDY_SECONDS:
            self._store.remove_answers(time.time() - self._rules.answer_days * _DAY)
            self._tidied = time.monotonic()
        return self._store

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, sqlite3.Error):
            self.trouble = f"the traffic store: {error}"
        else:
            self.trouble = f"{error}" if isinstance(error, UserError | OSError) else f"{error!r}"
        self._close()
        self._say()

    def _say(self) -> None:
        """Log what could not be recorded, once a minute at most."""
        if time.monotonic() < self._said + _SAY_SECONDS:
            return
        dropped = self._counts.take_unsaid()
        if dropped or self.trouble:
            self._said = time.monotonic()
            reasons = ", ".join(f"{reason}: {count}" for reason, count in dropped.items())
            log.warning(
                "Calls are answered, but not all is recorded%s%s",
                f"; calls lost to the store: {reasons}" if reasons else "",
                f"; {self.trouble}" if self.trouble else "",
            )

    def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()
