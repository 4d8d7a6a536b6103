#!/bin/sh
# Prints the k3s of docker-compose.yml as a manifest: deploy/k3s/cluster.sh deploy deployment | nautes apply -f -
# Inside the compose networks its name is `k3s` and its certificate is for that name (--tls-san).
set -eu
name="${1:-deploy}"
kind="${2:-deployment}" # or: pipeline
kubeconfig="$(docker compose exec -T k3s cat /etc/rancher/k3s/k3s.yaml)"
cat <<END
apiVersion: nautes.resource.nautes.io/v1alpha1
kind: Cluster
spec:
  name: $name
  apiServer: https://k3s:6443
  clusterKind: kubernetes
  clusterType: physical
  usage: worker
  workerType: $kind
  componentsList: {}
  kubeconfig: |
$(printf '%s\n' "$kubeconfig" | sed -e 's#https://127.0.0.1:6443#https://k3s:6443#' -e 's/^/    /')
END
