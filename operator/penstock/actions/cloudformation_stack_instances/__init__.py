"""The provider CloudFormationStackInstances."""
