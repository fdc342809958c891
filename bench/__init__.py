"""Benchmarks: what evaluating costs in time, and what the stored path costs in round trips."""
