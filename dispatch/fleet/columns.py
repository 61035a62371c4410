"""Columns by vehicle slot that grow together."""

from typing import Any, ClassVar

import numpy as np

_FIRST_CAPACITY = 64


class Columns:
    """Named numpy columns of one length; ``COLUMNS`` gives name, dtype and the value that means not known."""

    COLUMNS: ClassVar[tuple[tuple[str, Any, Any], ...]] = ()

    def __init__(self) -> None:
        self.capacity = _FIRST_CAPACITY
        for name, dtype, unknown in self.COLUMNS:
            setattr(self, name, np.full(_FIRST_CAPACITY, unknown, dtype))

    def grow_to(self, count: int) -> None:
        """Make room for so many slots; what is new is not known."""
        if count <= self.capacity:
            return
        while self.capacity < count:
            self.capacity *= 2
        for name, dtype, unknown in self.COLUMNS:
            grown = np.full(self.capacity, unknown, dtype)
            old = getattr(self, name)
            grown[: len(old)] = old
            setattr(self, name, grown)

    def forget(self, slots: Any) -> None:
        """Set every column of the slots to not known."""
        for name, _, unknown in self.COLUMNS:
            getattr(self, name)[slots] = unknown
