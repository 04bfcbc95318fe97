"""What Entra refuses, with the numbers that its callers search the web for."""

from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct


@dataclass
class Refused(Exception):
    number: int  # AADSTS…
    error: str  # OAuth's word
    message: str
    status: int = 400


class Problem(Struct, frozen=True):
    error: str
    error_description: str
    error_codes: list[int]
    timestamp: str
    trace_id: str
    correlation_id: str


def problem(refused: Refused, trace: str, correlation: str, at: datetime) -> Problem:
    time = f"{at:%Y-%m-%d %H:%M:%SZ}"
    description = (
        f"AADSTS{refused.number}: {refused.message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}"
    )
    return Problem(refused.error, description, [refused.number], time, trace, correlation)


def missing(parameter: str) -> Refused:
    return Refused(900144, "invalid_request", f"The request body must contain the following parameter: '{parameter}'.")


def malformed() -> Refused:
    return Refused(9002313, "invalid_request", "Invalid request. Request is malformed or invalid.")


def unknown_client(client_id: str, tenant: object) -> Refused:
    message = f"Application with identifier '{client_id}' was not found in the directory '{tenant}'."
    return Refused(700016, "unauthorized_client", message)


def unknown_resource(resource: str, tenant: object) -> Refused:
    message = f"The resource principal named {resource} was not found in the tenant named {tenant}."
    return Refused(500011, "invalid_resource", message)


def outage() -> Refused:
    return Refused(90033, "temporarily_unavailable", "A transient error has occurred. Please try again.", 503)
