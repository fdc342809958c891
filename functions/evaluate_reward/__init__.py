"""EventBridge -> SQS: facts in, movements out."""
