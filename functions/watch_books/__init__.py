"""Stream of the books: nothing but new rows may come by."""
