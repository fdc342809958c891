"""Schedule: holds that end, and outgoing events that the stream lost."""
