"""What the functions must be told to start."""

from dataclasses import dataclass, field

from functions import mail
from libs.common import cors


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    customers_url: str  # where the service answers: https://…, without a path
    orders_url: str
    api_scope: str = "api://store/.default"  # of the token that functions show there
    catalog_url: str
    mail_url: str  # smtp://user@host:port, smtps://…, or https://….communication.azure.com
    mail_password: str = field(default="", repr=False)  # where it names a user
    mail_from: str
    blob_endpoint: str  # https://<account>.blob.core.windows.net
    media_url: str  # where anyone can read what lies in the container `media`
    payments_url: str  # where the payment provider, or the adapter to it, answers: docs/payments.md
    payments_key: str = field(repr=False)  # shown to it, and what it signs its call-backs with
    staff_mail: str = ""  # who hears that little is left of a product; empty: the sender of the letters
    staff_language: str = "en"
    cors_origins: str = ""  # of pages that may ask for a customer's data from a browser, with spaces between
    log_level: str = "INFO"
    otel_exporter_otlp_endpoint: str = ""  # where traces and metrics go by OTLP/HTTP; empty: nowhere
    applicationinsights_connection_string: str = ""  # the same to Azure Monitor

    def __post_init__(self) -> None:
        """Raises ValueError or Incomplete: what is wrong should stop the start, not each call."""
        mail.check(self.mail_url)
        cors.origins(self.cors_origins)
