"""Experiments that run in the page: each a widget in a kernel, and a script on the site."""
