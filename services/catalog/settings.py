"""What the catalogue must be told to start."""

from dataclasses import dataclass

from libs.common.settings import ServiceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ServiceSettings):
    blob_endpoint: str  # https://<account>.blob.core.windows.net
    media_url: str  # where anyone can read what lies in the container `media`
