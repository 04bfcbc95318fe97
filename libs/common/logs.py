"""JSON lines on stdout; where a line belongs is known once, at the door."""

import json
import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import structlog

from libs.common import telemetry

Line = MutableMapping[str, Any]

_encoder = msgspec.json.Encoder(enc_hook=repr)


class Lines(structlog.BoundLoggerBase):
    """Writes a line at once: structlog's chain of processors takes longer than all that they do."""

    least: ClassVar[int] = logging.INFO

    @classmethod
    def from_level(cls, level: str) -> "type[Lines]":
        return type("Lines", (cls,), {"least": logging.getLevelName(level)})

    def debug(self, event: str, **said: Any) -> None:
        if self.least <= logging.DEBUG:
            self._write("debug", event, said)

    def info(self, event: str, **said: Any) -> None:
        if self.least <= logging.INFO:
            self._write("info", event, said)

    def warning(self, event: str, **said: Any) -> None:
        if self.least <= logging.WARNING:
            self._write("warning", event, said)

    def error(self, event: str, **said: Any) -> None:
        if self.least <= logging.ERROR:
            self._write("error", event, said)

    def exception(self, event: str, **said: Any) -> None:
        """With the error that is being handled."""
        self.error(event, **structlog.processors.format_exc_info(None, "error", {**said, "exc_info": True}))

    def _write(self, level: str, event: str, said: Line) -> None:
        said["event"], said["level"], said["timestamp"] = event, level, datetime.now(UTC)
        self._logger.msg(_encoded(telemetry.name_in_log(None, level, said)))


def configure(level: str) -> None:
    """`level` holds for us; libraries speak from WARNING up (the Azure SDK prints headers and bodies below that)."""
    structlog.configure(
        wrapper_class=Lines.from_level(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_for_libraries()], level=logging.WARNING, force=True)


def _for_libraries() -> logging.Handler:
    """Their lines look as ours."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                telemetry.name_in_log,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    return handler


def _encoded(line: Line) -> bytes:
    """By msgspec in a fifth of json's time, for each request has a line; but it writes no lone surrogate."""
    try:
        return _encoder.encode(line)
    except UnicodeEncodeError:
        return json.dumps(line, default=str).encode()


def join_host(level: str) -> None:
    """Inside a host that owns logging, such as Azure Functions: our lines go its way.

    A host in this process has told structlog where to already; Azure's listens on the standard library's root logger,
    whose handlers know the invocation that a line belongs to, and it adds the time.
    """
    logging.getLogger("azure").setLevel(logging.WARNING)  # below that the SDK prints headers
    if structlog.is_configured():
        structlog.configure(processors=[telemetry.name_in_log, *structlog.get_config()["processors"]])
        return
    structlog.configure(
        processors=[
            telemetry.name_in_log,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
