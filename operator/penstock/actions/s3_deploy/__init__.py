"""The provider S3 (Deploy)."""
