"""CRM and billing deliveries: verify, store, answer."""
