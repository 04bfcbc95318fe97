"""Benchmarks: `make bench`, `make bench-engines` and `make bench-orders`. What they found is in docs/."""
