"""The provider ServerlessApplicationRepository (Deploy)."""
