"""Threads that look names up.

The system's look-up of a name cannot be ended: a name server that does not answer holds a thread
for as long as the system's resolver is patient, whatever a deadline says. So there are more threads
than pictures in flight, one that hangs holds up neither the others nor the end of the program, and
there is a bound to them all the same.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class LookupThreads(ThreadPoolExecutor):
    """An executor of at most `most` threads whose end nobody waits for.

    An event loop takes nothing but a ThreadPoolExecutor for its own. Of that class it has the name
    alone, for its threads are waited for when the interpreter ends.
    """

    def __init__(self, most: int) -> None:
        super().__init__(1)
        self._most = most
        self._lock = threading.Lock()
        self._calls: deque[Callable[[], None]] = deque()
        self._working = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """What `fn` gives when a thread has come to it; cancelled before, it is not called."""
        future: Future[T] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it is for whoever asks the future
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._lock:
            self._calls.append(call)
            if self._working < self._most:
                threading.Thread(target=self._work, name="lookup", daemon=True).start()
                self._working += 1
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """Lets go of what has not begun; what has is left to itself."""
        with self._lock:
            self._calls.clear()
        super().shutdown(wait=False, cancel_futures=cancel_futures)

    def _work(self) -> None:
        """The calls there are, until there are none."""
        while True:
            with self._lock:
                if not self._calls:
                    self._working -= 1
                    return
                call = self._calls.popleft()
            call()
