"""The tables: keys, codec, transactions and one file per concept."""
