"""The nautes command."""
