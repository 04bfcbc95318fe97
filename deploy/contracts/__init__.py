"""The contracts between the store's parts, and with whoever calls it: made of the code, and kept from breaking."""
