"""Who is not let in, and why. Knows no keys."""

from __future__ import annotations

from typing import ClassVar

from hilum.errors.root import HilumError


class AccessRefused(HilumError):
    """Who asks is unknown, or may not do this, or asks too often.

    Attributes:
        challenge: the answer's WWW-Authenticate (RFC 6750, section 3); None where credentials are not at fault.
    """

    code, status, title = "access-refused", 401, "Access is refused"
    challenge: ClassVar[str | None] = 'Bearer realm="hilum"'


class CredentialsMissing(AccessRefused):
    """The request carries no API key, and no session that still runs."""

    code, title = "credentials-missing", "An API key is needed"


class KeyInvalid(AccessRefused):
    """The API key is unknown, expired or revoked."""

    code, title = "key-invalid", "The API key is not valid"
    challenge = 'Bearer realm="hilum", error="invalid_token"'


class RoleInsufficient(AccessRefused):
    """The API key's role does not reach as far as this."""

    code, status, title = "role-insufficient", 403, "The API key may not do this"
    challenge = 'Bearer realm="hilum", error="insufficient_scope"'


class RateLimited(AccessRefused):
    """More requests came with one API key, or more invalid keys from one place, than the limit.

    Attributes:
        retry_after: seconds after which the next request is taken.
    """

    code, status, title = "rate-limited", 429, "Too many requests"
    challenge = None

    def __init__(self, detail: str, *, retry_after: int, limit: float | None = None) -> None:
        super().__init__(detail, limit=limit)
        self.retry_after = retry_after


class AccessUnavailable(AccessRefused):
    """The database that knows the keys does not answer."""

    code, status, title = "access-unavailable", 503, "Keys cannot be checked"
    challenge = None
    retry_after: ClassVar[int | None] = 2
