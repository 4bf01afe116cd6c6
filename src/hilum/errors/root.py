"""What all errors of hilum's have: a code, an HTTP status and an exit code. Knows none of them."""

from __future__ import annotations

from typing import ClassVar


class HilumError(Exception):
    """Something hilum refuses, said so that a person can act on it.

    Attributes:
        code: stable slug, the last part of the problem type's URL.
        status: HTTP status.
        exit_code: exit status of the command line.
        limit, actual: the limit that was passed and the value received, where there is one.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    title: ClassVar[str] = "Error"

    def __init__(self, detail: str, *, limit: float | None = None, actual: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.limit = limit
        self.actual = actual
