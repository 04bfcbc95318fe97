"""What every service and function shares: messages, errors, and the manners of HTTP, bus, outbox and database."""
