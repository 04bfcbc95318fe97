"""Azure Service Bus on a laptop: an AMQP 1.0 broker that its unmodified SDKs cannot tell from Azure in what it does."""

from localcloud.servicebus.broker import Broker, Counts

__all__ = ["Broker", "Counts"]
