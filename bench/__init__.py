"""Benchmarks: `make bench-engines`. What they found is in docs/."""
