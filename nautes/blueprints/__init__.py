"""What a declaration becomes: Kubernetes objects, Vault policies and roles, GitLab settings."""
