"""Measurements: simulated incidents with planted truth, and what the product makes of them."""
