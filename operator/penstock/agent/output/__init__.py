"""What an action prints: line by line, masked, bounded."""
