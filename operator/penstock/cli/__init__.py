"""The penstock command, also kubectl-penstock."""
