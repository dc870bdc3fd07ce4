"""What statuses say: conditions, the one-line summary, and the Pipeline's status."""
