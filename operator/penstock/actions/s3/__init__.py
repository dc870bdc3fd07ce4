"""The provider S3 (Source)."""
