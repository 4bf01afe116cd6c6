"""An array that lies in a file and not in memory, read by rows. Knows nothing of what they hold."""

from __future__ import annotations

import math
import weakref
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hilum.errors import TrainingFailed


class StoredRows:
    """An array of N rows in a file without a name, which is gone with the process, however that ends.

    What is asked for is read anew each time. Not safe to use from several threads.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        """Makes the file in `folder`; rows that were not written yet hold zeros."""
        self.shape, self.dtype = shape, np.dtype(dtype)
        self._folder, self._row_bytes = folder, math.prod(shape[1:]) * self.dtype.itemsize
        self._file = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - open as long as this object is there
        weakref.finalize(self, self._file.close)
        self._file.truncate(len(self) * self._row_bytes)

    def close(self) -> None:
        """Gives the disk back before the array is forgotten."""
        self._file.close()

    def __len__(self) -> int:
        """N."""
        return self.shape[0]

    def __setitem__(self, row: int, values: NDArray[Any]) -> None:
        """Writes a row.

        Raises:
            TrainingFailed: there is no room for it.
        """
        self._go_to(row)
        left = memoryview(np.ascontiguousarray(values, self.dtype).tobytes())
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise TrainingFailed(
                f"{self._folder} has no room for the slices to learn from ({error.strerror}): "
                f"{len(self) * self._row_bytes / 1e6:,.0f} MB are needed as long as the training takes"
            ) from error

    def __getitem__(self, wanted: np.integer[Any] | slice | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """One row, or the rows of a slice or at indices from 0, as an array of their own."""
        if isinstance(wanted, np.integer):
            return self[np.array([wanted])][0]
        rows = range(len(self))[wanted] if isinstance(wanted, slice) else wanted.tolist()
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for place, row in enumerate(rows):
            self._go_to(row)
            self._file.readinto(found[place].data)
        return found

    def _go_to(self, row: int) -> None:
        if not 0 <= row < len(self):
            raise IndexError(f"there is no row {row} among {len(self)}")
        self._file.seek(row * self._row_bytes)
