"""Ending a statement that the engine is busy with, from outside."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from threading import Thread, current_thread, main_thread
from time import monotonic


class Watch:
    """Interrupts a statement from outside: at the end of its time, and on Ctrl-C at once.

    Python looks at a signal only when the engine comes back. What it writes at once, from the
    handler itself, is the number of the signal to the file that `signal.set_wakeup_fd` names, so a
    thread waits there.
    """

    _OVER = b"\0"

    def __init__(self, interrupt: Callable[[], None], seconds: float) -> None:
        """Begin to watch; `interrupt` is called from a thread, at the latest after `seconds`."""
        self.is_pressed = False
        self._interrupt, self._ends = interrupt, monotonic() + seconds
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._before = None
        if current_thread() is main_thread():
            self._before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._thread = Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        while select.select([self._read], [], [], max(0.0, self._ends - monotonic()))[0]:
            told = os.read(self._read, 64)
            if bytes([signal.SIGINT]) in told:
                self.is_pressed = True
                break
            if self._OVER in told:
                return
        self._interrupt()

    def stop(self) -> None:
        """End the watch, whether or not it has interrupted."""
        if self._before is not None:
            signal.set_wakeup_fd(self._before)
        os.write(self._write, self._OVER)
        self._thread.join()
        os.close(self._read)
        os.close(self._write)
