"""What ServiceBusAdministrationClient talks to: entities and rules as ATOM over HTTP."""

from localcloud.servicebus.admin.app import Administration

__all__ = ["Administration"]
