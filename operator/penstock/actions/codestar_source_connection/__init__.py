"""CodeStarSourceConnection: a repository of a Git host, through a Connection."""
