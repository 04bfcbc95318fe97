"""What the functions must be told to start."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    customers_url: str  # where the service answers: https://…, without a path
    orders_url: str
    api_scope: str = "api://store/.default"  # of the token that functions show there
    smtp_host: str
    smtp_port: int
    mail_from: str
    blob_endpoint: str  # https://<account>.blob.core.windows.net
    media_url: str  # where anyone can read what lies in the container `media`
    log_level: str = "INFO"
