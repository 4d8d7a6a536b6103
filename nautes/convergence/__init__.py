"""How a set of objects is converged: guard, waves, difference, health, inventory."""
