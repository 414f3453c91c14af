"""Trains the tiny models whose bundles the package embeds; no part of the package."""
