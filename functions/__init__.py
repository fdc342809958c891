"""Transport: one folder per Lambda function."""
