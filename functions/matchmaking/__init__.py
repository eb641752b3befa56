"""Matchmaking and live game sessions: one package, three functions (gateway, matcher, simulation)."""

__version__ = "0.1.0"
