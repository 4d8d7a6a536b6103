"""What is allowed: one small function per rule; they return findings and never raise.

Importing the package registers every rule. docs/rules.md lists them all.
"""

from nautes.rules import clusters, decided, gitlab, pipelines, products, removal, rights, runtimes
from nautes.rules.registry import RULES as ALL

__all__ = ["ALL", "clusters", "decided", "gitlab", "pipelines", "products", "removal", "rights", "runtimes"]
