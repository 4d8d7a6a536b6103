"""The HTTP API: it authenticates, authorizes, starts, signals or queries a workflow, and answers.

The modules, in the order in which a request passes them:

- app.py: the routers in their order; limits.py, methods.py, paths.py: layers around them; problems.py: every error's one shape
- identity.py: authentication; authorization.py: one function per kind of operation
- parameters.py, conditions.py, bodies.py, schemas.py: what a request may hold; openapi.py, docs.py: its description
- kinds/: list, get, save, delete of every kind (reading.py, filters.py, pages.py); changes.py: apply, remove, plan
- execution.py, commands.py: carry out a change as operations of workflows
- operations.py, events.py, timeline.py, status.py, pending.py: progress, status and history
- hooks.py: GitLab's webhooks; health.py: liveness and readiness
"""
