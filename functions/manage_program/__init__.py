"""The management API: programmes, terms, partners, links, sources, reviews and figures."""
