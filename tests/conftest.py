"""What many tests need."""

pytest_plugins = ["tests.tokens", "tests.engines.fixtures"]
