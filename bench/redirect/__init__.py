"""The redirect inside Lambda's own runtime client, beside what others would have written."""
