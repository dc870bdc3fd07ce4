"""What starts runs: a process of its own, with rights of its own."""
