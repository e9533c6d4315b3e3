"""Functions of Python's that C calls."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import Any, Callable, List, Optional

from . import _structs as k
from ._library import check

Progress = Callable[[int, int], Optional[bool]]


class Watch:
    """Callbacks of a call, and what was raised in them: through C nothing may pass.  The functions know lists,
    not the Watch: a circle would wait for the garbage collector."""

    def __init__(self, progress: Optional[Progress], warns: bool = True) -> None:
        self.warnings: List[str] = []
        self.raised: List[BaseException] = []
        warnings, raised = self.warnings, self.raised

        def tick(user: Any, done: int, total: int) -> int:
            try:
                return int(bool(progress and progress(done, total)))
            except BaseException as why:    # it cancels, and is raised after
                raised.append(why)
                return 1

        def warn(user: Any, text: Optional[bytes]) -> None:
            warnings.append((text or b"").decode("utf-8", "replace"))
        self.tick = k.PROGRESS(tick) if progress else None
        self.warn = k.WARN(warn) if warns else None

    def check(self, status: int, message: k.Message) -> None:
        if self.raised:
            raise self.raised[0]
        check(status, message)


def serve(executor: Executor) -> Any:
    """krait_parallel_fn on an executor's threads; this thread takes the first task."""
    def run(user: Any, task: Any, argument: Any, count: int) -> None:
        futures: "List[Future[None]]" = []
        left = 0
        try:
            for i in range(1, count):
                futures.append(executor.submit(task, argument, i))
                left = i
        except RuntimeError:            # an executor that was shut down: no task may be lost
            for i in range(left + 1, count):
                task(argument, i)
        task(argument, 0)
        for future in futures:
            if future.cancel():
                task(argument, futures.index(future) + 1)
            else:
                future.result()
    return k.PARALLEL(run)
