"""The operator's command line over the management API. Standard library only, no AWS."""
