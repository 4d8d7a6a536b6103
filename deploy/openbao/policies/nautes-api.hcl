# What the API may do: leave a kubeconfig for the worker, check a webhook. The same as the sandbox's.
path "cluster/data/staging/*" { capabilities = ["create", "update"] }
path "cluster/metadata/kubernetes/+/default/admin" { capabilities = ["read"] }
path "git/data/gitlab/+/default/webhook" { capabilities = ["read"] }
path "transit/datakey/plaintext/nautes" { capabilities = ["update"] }
path "transit/decrypt/nautes" { capabilities = ["update"] }
