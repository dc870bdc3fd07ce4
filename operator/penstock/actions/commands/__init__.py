"""The commands provider."""
