"""Reads values of header fields that have parameters, strictly: what two readers could understand differently is none.

Lenient readers have been a way past checks: one takes the first `filename`, another the last. Knows no header by name.
"""

from __future__ import annotations

import re

_KIND = re.compile(r"[ \t]*([^\s;,\"]+)[ \t]*")
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - of HTTP
_QUOTED = r'"((?:[^"\\\r\n\x00]|\\[^\r\n\x00])*)"'
_PARAMETER = re.compile(rf'[ \t]*;[ \t]*(?:({_TOKEN})=(?:{_QUOTED}|([^\s;"]+)))?[ \t]*')
_ESCAPED = re.compile(r'\\(["\\])')


def kind_and_parameters(value: str) -> tuple[str, dict[str, str]]:
    """Splits `kind; name=value; name="value"` (RFC 9110, section 5.6.6).

    Returns:
        The kind and the parameters' names in lower case, and the parameters as they were sent.

    Raises:
        ValueError: it is malformed, or says something twice.
    """
    kind = _KIND.match(value)
    if kind is None:
        raise ValueError("it begins with no word")
    parameters: dict[str, str] = {}
    at = kind.end()
    while at < len(value):
        found = _PARAMETER.match(value, at)
        if found is None:
            raise ValueError("a parameter of it is malformed")
        at = found.end()
        if found[1] is None:  # a semicolon with nothing behind it
            continue
        name = found[1].lower()
        if name in parameters:
            raise ValueError("a parameter of it is there twice")
        parameters[name] = _ESCAPED.sub(r"\1", found[2]) if found[2] is not None else found[3]
    return kind[1].lower(), parameters
