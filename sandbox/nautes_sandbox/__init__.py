"""The sandbox: Temporal, OpenBao, the GitLab stand-in and Kubernetes on this machine."""
