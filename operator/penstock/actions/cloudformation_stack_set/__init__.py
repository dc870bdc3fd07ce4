"""The provider CloudFormationStackSet."""
