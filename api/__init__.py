"""The thin door: who are you, may you, start or ask a workflow, answer.

Where things are, in the order in which a request meets them:

- app.py: the routers in their order; limits.py, methods.py, paths.py: layers around them; problems.py: every error's one shape
- identity.py: who are you; authorization.py: may you, one function per kind of operation
- parameters.py, conditions.py, bodies.py, schemas.py: what a request may say; openapi.py, docs.py: how that is told
- kinds/: list, get, save, delete of every kind (reading.py, filters.py, pages.py); changes.py: apply, remove, plan
- execution.py, commands.py: carrying out a change as operations of workflows
- operations.py, events.py, timeline.py, status.py, pending.py: how it goes and what became of it
- hooks.py: GitLab's webhooks; health.py: whether this process can work
"""
