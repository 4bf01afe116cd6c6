"""The HILUM_* settings. Read by the doors (web, worker, cli) only; rooms take plain arguments."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_PREFIX = "HILUM_"
_LIKENESS = 0.8


class Settings(BaseSettings):
    """What can be set from outside; each field is documented in docs/settings.md."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    host: str = Field(default="127.0.0.1", description="address to listen on; loopback unless you say otherwise")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on")
    keep_alive_s: int = Field(default=10, ge=1, le=3600, description="a connection without a request is closed after")
    home: Path = Field(default=Path("var"), description="folder for state and downloads")
    database_url: str | None = Field(default=None, description="SQLite or PostgreSQL; by default HILUM_HOME/hilum.db")
    blobs_url: str | None = Field(default=None, description="where images are kept; by default HILUM_HOME/blobs")
    history: bool = Field(default=True, description="keep predictions; false: nothing of them is stored")
    keep_images: bool = Field(default=True, description="keep the images of predictions; false: their hashes only")
    retention_days: int = Field(default=0, ge=0, le=36_500, description="predictions are deleted after; 0: never")
    model: Path | None = Field(default=None, description="bundle to begin with; by default the bundled reference model")
    follow_champion: bool = Field(
        default=True, description="serve the registry's champion; false: serve HILUM_MODEL whatever is promoted"
    )
    shadow_share: float = Field(
        default=0.1, ge=0, le=1, description="of the requests that the challenger answers too, unseen; 0: none"
    )
    processes: int = Field(default=1, ge=1, le=64, description="processes that serve the port together")
    threads: int = Field(
        default=0, ge=0, le=256, description="predictions a process computes at once; 0: one for each core it gets"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="least level logged")
    isolation: Literal["codecs", "all", "none"] = Field(
        default="codecs", description="which images are decoded in a process that may be lost"
    )
    max_waiting: int = Field(default=128, ge=0, le=10_000, description="predictions that may wait; more get 503")
    max_wait_ms: int = Field(default=500, ge=1, le=60_000, description="a prediction that would wait longer gets 503")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="names, separated by commas, the server answers to besides localhost"
    )
    api_keys_required: Literal["auto", "true", "false"] = Field(
        default="auto", description="whether requests need an API key; auto: unless only this machine can reach it"
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="web origins, separated by commas, whose pages may use the API with a key (CORS)"
    )
    rate_limit: int = Field(default=3000, ge=0, le=1_000_000, description="requests a minute for each key; 0: any")
    session_hours: int = Field(default=12, ge=1, le=720, description="after which the dashboard asks to sign in again")
    otlp_endpoint: str | None = Field(default=None, description="OpenTelemetry collector; by default none")
    drift_alert: float = Field(default=0.25, gt=0, le=10, description="population stability index that is an alert")
    drift_window: int = Field(default=500, ge=50, le=5000, description="newest predictions that drift is looked for in")
    worker: bool = Field(default=True, description="take training runs; false: leave them to `hilum worker`")
    promotion: Literal["auto", "approve", "manual"] | None = Field(
        default=None, description="who decides on a promotion; by default auto where only this machine can reach it"
    )
    audit_log: bool = Field(default=True, description="write who did what into the audit log")

    def state_environment(self) -> dict[str, str]:
        """Where state lies and how it is kept, as the environment of another process of hilum's."""
        places = {"HOME": self.home.absolute(), "DATABASE_URL": self.database_url, "BLOBS_URL": self.blobs_url}
        ways = {"LOG_LEVEL": self.log_level, "AUDIT_LOG": str(self.audit_log).lower(), "ISOLATION": self.isolation}
        return {f"HILUM_{name}": str(value) for name, value in (places | ways).items() if value is not None}

    @field_validator("allowed_hosts", "allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip().lower() for name in value.split(",") if name.strip())
        return value

    @field_validator("api_keys_required", "log_level", mode="before")
    @classmethod
    def _word(cls, value: object) -> object:
        return str(value).strip().lower()

    @field_validator("otlp_endpoint")
    @classmethod
    def _endpoint(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^/?#]+/?", value):
            raise ValueError(f"{value!r} is no address such as http://collector:4318")
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            parts = urlsplit(origin)
            if origin != f"{parts.scheme}://{parts.netloc}" or parts.scheme not in {"http", "https"}:
                raise ValueError(f"{origin!r} is no origin such as https://viewer.example")
        return value


def misspelt(names: Iterable[str]) -> dict[str, str]:
    """Of the names of environment variables those that are nearly a setting's, with the setting's."""
    fields = {name.upper() for name in Settings.model_fields}
    asked = {name: name.upper().removeprefix(_PREFIX) for name in names if name.upper().startswith(_PREFIX)}
    likest = {name: get_close_matches(own, fields, 1, _LIKENESS) for name, own in asked.items() if own not in fields}
    return {name: _PREFIX + meant[0] for name, meant in likest.items() if meant}
