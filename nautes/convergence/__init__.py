"""How a set of objects is brought about: guard, waves, difference, health, inventory."""
