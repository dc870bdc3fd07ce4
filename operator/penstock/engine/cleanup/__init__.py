"""What is deleted: history beyond its limits, and what runs without being known."""
