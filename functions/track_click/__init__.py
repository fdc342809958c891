"""The redirect: a short link in, the stored destination out, the click recorded in between."""
