"""What the functions must be told to start."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    customers_url: str  # where the service answers: https://…, without a path
    orders_url: str
    api_scope: str = "api://store/.default"  # of the token that functions show there
    smtp_host: str
    smtp_port: int
    mail_from: str
    payments_url: str  # where the payment provider, or the adapter to it, answers: docs/payments.md
    payments_key: str = field(repr=False)  # shown to it, and what it signs its call-backs with
    log_level: str = "INFO"
