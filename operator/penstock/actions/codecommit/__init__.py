"""CodeCommit: a repository of AWS's own Git hosting."""
