"""What both long-running processes share, and which knows no pipeline."""
