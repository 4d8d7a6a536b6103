"""How outside systems are reached: settings, connections, one error vocabulary."""
