"""Incident postmortem and audit toolkit."""

__version__ = "0.1.0"
