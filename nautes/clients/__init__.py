"""How outside systems are reached: settings, connections, translation of errors."""
