"""What azd runs around provisioning and deploying. Each is harmless twice; `--dry-run` says what it would do."""
