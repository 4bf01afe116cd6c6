"""Requests as OpenTelemetry traces. Imported only where an endpoint is set; nothing a client names is in a span."""

from __future__ import annotations

import time
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hilum.web.middleware import METHODS, route_of

_NANOSECONDS = 1_000_000_000


class Tracing:
    """Makes spans: one for each request, and inside it one for each stage of a prediction."""

    def __init__(self, exporter: SpanExporter) -> None:
        """Takes where spans go; they are sent in the background, and dropped where that fails."""
        resource = Resource.create({"service.name": "hilum", "service.version": version("hilum")})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("hilum")

    @classmethod
    def to(cls, endpoint: str) -> Tracing:
        """Sends spans over OTLP/HTTP to a collector, such as `http://collector:4318`."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return cls(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5))

    def start(self) -> None:
        """Does nothing: the sender starts with the first span."""

    def close(self) -> None:
        """Sends what waits."""
        self._provider.shutdown()

    def stage(self, name: str, seconds: float) -> None:
        """Notes a stage of the current request that has just ended."""
        ended_at = time.time_ns()
        span = self._tracer.start_span(name, start_time=ended_at - int(seconds * _NANOSECONDS))
        span.end(ended_at)

    def begin(self, scope: Scope) -> Span:
        """Opens a request's span, as part of the caller's trace where a `traceparent` names one (W3C)."""
        parent = Headers(scope=scope).get("traceparent", "")
        context: Context = TraceContextTextMapPropagator().extract({"traceparent": parent}, Context())
        span = self._tracer.start_span("request", context, SpanKind.SERVER)
        assert isinstance(span, Span)  # noqa: S101 - nothing is sampled away
        return span


class RequestTracer:
    """Opens and ends the span of every request."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        """Traces the requests of `app`."""
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        span, status = self._tracing.begin(scope), 500
        scope["hilum.trace_id"] = trace.format_trace_id(span.get_span_context().trace_id)

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                await self._app(scope, receive, send_noting_status)
        finally:
            _describe(span, scope, status)
            span.end()


def _describe(span: Span, scope: Scope, status: int) -> None:
    method = scope["method"] if scope["method"] in METHODS else "_OTHER"
    span.update_name(f"{method} {route_of(scope)}")
    told = {
        "http.request.method": method,
        "http.route": route_of(scope),
        "http.response.status_code": status,
        "hilum.request_id": scope.get("hilum.request_id"),
        "hilum.problem": scope.get("hilum.code"),
        "hilum.model_version": scope.get("hilum.model_version"),
    }
    span.set_attributes({name: value for name, value in told.items() if value is not None})
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))
