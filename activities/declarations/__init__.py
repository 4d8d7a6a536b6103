"""From a declaration to what is to be done: read, judged, planned, resolved. Nothing here writes; activities act on it."""
