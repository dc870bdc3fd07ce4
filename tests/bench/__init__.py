"""Benchmarks: ratios against bare Jobs of the same session, never asserted."""
