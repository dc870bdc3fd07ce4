"""GitHub, version 1: a repository on github.com with a token of its own."""
