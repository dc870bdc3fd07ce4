"""The provider CloudFormation."""
