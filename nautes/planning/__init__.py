"""From what is wanted and what was observed to typed steps: a plan prints them, and a change carries out the same ones."""
