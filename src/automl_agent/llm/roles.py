"""Who may ask a language model. What each is for stands in its prompt."""

from __future__ import annotations

ROLES = ("prompt", "request", "planner", "data", "model", "coder", "reviewer", "reviser", "report")
DEFAULT = "default"
"""Speaks for every role that has no model of its own."""
