"""Hold reports back a fixed time and release them in fix-time order, so that rules see each bus's true sequence."""

import numpy as np

from dispatch.fleet.batch import EMPTY, Batch, joined, sorted_by_fix


class InOrder:
    """The held-back view. What arrives later than the hold is counted as late and not released."""

    def __init__(self, hold_s: float) -> None:
        self._hold_s = hold_s
        self._held: list[Batch] = []
        self._last_time = np.full(64, -np.inf)  # by slot, fix time last released
        self.late = 0  # reports that came after their vehicle's later ones were released

    def release(self, arrived: Batch, now: float) -> Batch:
        """Everything fixed at or before ``now - hold_s`` that has not been released yet, in fix-time order."""
        if len(arrived):
            self._held.append(arrived)
        if not self._held:
            return EMPTY
        held = joined(self._held)
        due = held.fix_time <= now - self._hold_s
        self._held = [held.take(~due)] if not due.all() else []
        return self._in_time(sorted_by_fix(held.take(due)))

    def _in_time(self, batch: Batch) -> Batch:
        if len(batch) == 0:
            return batch
        top = int(batch.slot.max())
        if top >= len(self._last_time):
            grown = np.full(max(top + 1, 2 * len(self._last_time)), -np.inf)
            grown[: len(self._last_time)] = self._last_time
            self._last_time = grown
        on_time = batch.fix_time >= self._last_time[batch.slot]
        self.late += int((~on_time).sum())
        np.maximum.at(self._last_time, batch.slot, batch.fix_time)
        return batch if on_time.all() else batch.take(on_time)
