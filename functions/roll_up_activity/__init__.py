"""Clicks into counters: each click once, whatever the stream repeats."""
