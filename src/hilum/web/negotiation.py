"""Chooses among the representations a route offers by the Accept header (RFC 9110, section 12.5.1)."""

from __future__ import annotations


def preferred(accept: str | None, offered: tuple[str, ...]) -> str:
    """Picks the offered media type the client likes best.

    Args:
        accept: the Accept header; None or empty accepts anything.
        offered: media types in the server's order of preference; the first is the default.

    Returns:
        One of `offered`; the first where none is acceptable, since an answer is of more use than a 406.
    """
    ranges = [_parsed(item) for item in (accept or "*/*").split(",")[:32] if item.strip()]
    best = max(offered, key=lambda media_type: (_quality(media_type, ranges), -offered.index(media_type)))
    return best if _quality(best, ranges) > 0 else offered[0]


def _parsed(item: str) -> tuple[str, float]:
    name, *parameters = item.split(";")
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.strip().partition("=")
        if key == "q":
            try:
                quality = min(max(float(value), 0.0), 1.0)
            except ValueError:
                quality = 0.0
    return name.strip().lower(), quality


def _quality(media_type: str, ranges: list[tuple[str, float]]) -> float:
    by_name = dict(reversed(ranges))
    for name in (media_type, media_type.split("/", maxsplit=1)[0] + "/*", "*/*"):
        if name in by_name:
            return by_name[name]
    return 0.0
