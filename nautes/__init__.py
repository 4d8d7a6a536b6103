"""Nautes on Temporal: the library and the command. The server's packages are `workflows`, `activities`, `api` and `worker`."""
