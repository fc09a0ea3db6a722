"""Bags that are being made: beside their place, readable at any moment, whoever writes them."""
