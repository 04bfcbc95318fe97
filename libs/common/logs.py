"""JSON lines on stdout; where a line belongs is known once, at the door."""

import json
import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from libs.common import telemetry

Line = MutableMapping[str, Any]

_encoder = msgspec.json.Encoder(enc_hook=repr)


def configure(level: str) -> None:
    """`level` holds for us; libraries speak from WARNING up (the Azure SDK prints headers and bodies below that)."""
    structlog.configure(
        processors=[
            telemetry.name_in_log,
            structlog.processors.add_log_level,
            _stamp,
            structlog.processors.format_exc_info,
            _line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
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


def _stamp(_: Any, __: str, line: Line) -> Line:
    """Encoded it is as structlog's own stamp, in a fifth of the time."""
    line["timestamp"] = datetime.now(UTC)
    return line


def _line(_: Any, __: str, line: Line) -> bytes:
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
