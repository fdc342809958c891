"""The embedded default: the same template as in AWS, on one machine."""
