"""What orders must be told to start."""

from dataclasses import dataclass

from libs.common.settings import ServiceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ServiceSettings):
    expire_seconds: float = 900.0  # after which an order that is not settled is cancelled
