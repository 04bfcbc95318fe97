"""What customers must be told to start."""

from dataclasses import dataclass

from libs.common.settings import ServiceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ServiceSettings):
    """Nothing beyond what every service is told."""
