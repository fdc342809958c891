"""Public form intake: JSON and urlencoded forms in, referrals out."""
