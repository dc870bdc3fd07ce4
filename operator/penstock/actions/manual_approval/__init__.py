"""The Manual approval provider."""
