"""The thin door: who are you, may you, start or ask a workflow, answer."""
