# OpenBao: unseals itself with the key of a file and, at its very first start, makes what the platform logs in with.
# No root token is left behind. Checked by tests/unit/test_deploy.py, which starts OpenBao with this file.
api_addr     = "http://openbao:8200"
cluster_addr = "http://openbao:8201"
ui           = false
log_level    = "warn"

storage "raft" {
  path    = "/openbao/file"
  node_id = "openbao"
}

# The networks of docker-compose.yml do not leave the machine. Elsewhere: tls_cert_file and tls_key_file.
listener "tcp" {
  address         = "0.0.0.0:8200"
  cluster_address = "0.0.0.0:8201"
  tls_disable     = true
}

seal "static" {
  current_key_id = "first"
  current_key    = "file:///run/secrets/openbao_seal_key"
}

audit "file" "audit" {
  options = {
    file_path = "/openbao/logs/audit.log"
  }
}

initialize "platform" {
  request "approle" {
    operation = "update"
    path      = "sys/auth/approle"
    data      = { type = "approle" }
  }

  request "transit" {
    operation = "update"
    path      = "sys/mounts/transit"
    data      = { type = "transit" }
  }
  request "codec-key" { # for NAUTES_CODEC_TRANSIT=transit/nautes
    operation = "update"
    path      = "transit/keys/nautes"
    data      = { type = "aes256-gcm96" }
  }

  request "worker-policy" {
    operation = "update"
    path      = "sys/policies/acl/nautes"
    data      = { policy = { eval_type = "string", eval_source = "file", path = "/openbao/policies/nautes.hcl" } }
  }
  request "worker-role" {
    operation = "update"
    path      = "auth/approle/role/nautes"
    data      = { token_policies = ["nautes"], token_ttl = "1h", token_max_ttl = "24h", secret_id_ttl = "0" }
  }
  request "worker-role-id" {
    operation = "update"
    path      = "auth/approle/role/nautes/role-id"
    data      = { role_id = "nautes" }
  }
  request "worker-secret-id" {
    operation = "update"
    path      = "auth/approle/role/nautes/custom-secret-id"
    data      = { secret_id = { eval_type = "string", eval_source = "file", path = "/run/secrets/vault_secret_id" } }
  }

  request "api-policy" {
    operation = "update"
    path      = "sys/policies/acl/nautes-api"
    data      = { policy = { eval_type = "string", eval_source = "file", path = "/openbao/policies/nautes-api.hcl" } }
  }
  request "api-role" {
    operation = "update"
    path      = "auth/approle/role/nautes-api"
    data      = { token_policies = ["nautes-api"], token_ttl = "1h", token_max_ttl = "24h", secret_id_ttl = "0" }
  }
  request "api-role-id" {
    operation = "update"
    path      = "auth/approle/role/nautes-api/role-id"
    data      = { role_id = "nautes-api" }
  }
  request "api-secret-id" {
    operation = "update"
    path      = "auth/approle/role/nautes-api/custom-secret-id"
    data      = { secret_id = { eval_type = "string", eval_source = "file", path = "/run/secrets/vault_api_secret_id" } }
  }
}
