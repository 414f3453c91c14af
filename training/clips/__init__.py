"""Procedurally drawn clips: a scene, its frames and its caption."""
