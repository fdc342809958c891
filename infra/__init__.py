"""The CDK app that puts Goodword into an AWS account, or into the local cloud."""
