"""One run on its way through its stages: what it came to, and what starts next."""
