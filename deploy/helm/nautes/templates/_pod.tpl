{{/* What the pods of API, workers and roll-out share. */}}

{{- define "nautes.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "nautes.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "nautes.scheduling" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end }}

{{/* {root, labels}: replicas apart from each other, by zone and by node, as far as there are any. */}}
{{- define "nautes.spreadOf" -}}
{{- range list .root.Values.topologyKey "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ . | quote }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector: {matchLabels: {{ toJson $.labels }}}
{{- end }}
{{- end }}

{{/* The connection to Temporal: of every process. */}}
{{- define "nautes.temporalEnvironment" -}}
- {name: TEMPORAL_ADDRESS, value: {{ .Values.temporal.address | quote }}}
- {name: TEMPORAL_NAMESPACE, value: {{ .Values.temporal.namespace | quote }}}
{{- with .Values.temporal.tls }}
{{- if .enabled }}
- {name: TEMPORAL_TLS, value: "true"}
{{- end }}
{{- with .serverName }}
- {name: TEMPORAL_TLS_SERVER_NAME, value: {{ . | quote }}}
{{- end }}
{{- if .caSecret }}
- {name: TEMPORAL_TLS_SERVER_CA_CERT_PATH, value: /run/secrets/temporal-ca/ca.crt}
{{- end }}
{{- if .clientSecret }}
- {name: TEMPORAL_TLS_CLIENT_CERT_PATH, value: /run/secrets/temporal-client/tls.crt}
- {name: TEMPORAL_TLS_CLIENT_KEY_PATH, value: /run/secrets/temporal-client/tls.key}
{{- end }}
{{- end }}
{{- with .Values.temporal.profile }}
{{- if .secret }}
- {name: TEMPORAL_CONFIG_FILE, value: {{ printf "/run/secrets/temporal-profile/%s" .key | quote }}}
{{- end }}
{{- with .name }}
- {name: TEMPORAL_PROFILE, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{/* Settings of API and workers. */}}
{{- define "nautes.environment" -}}
{{ include "nautes.temporalEnvironment" . }}
- {name: NAUTES_TENANT, value: {{ .Values.tenant | quote }}}
- {name: NAUTES_GITLAB_URL, value: {{ .Values.gitlab.url | quote }}}
- {name: NAUTES_VAULT_ADDR, value: {{ .Values.vault.address | quote }}}
- {name: NAUTES_API_URL, value: {{ .Values.api.url | quote }}}
- {name: NAUTES_METRICS_HOST, value: 0.0.0.0} # the kubelet and Prometheus ask the pod's own address
- {name: NAUTES_STATE_DIR, value: /var/lib/nautes}
- {name: NAUTES_LOG_FORMAT, value: {{ .Values.logFormat | quote }}}
{{- with .Values.temporal.uiUrl }}
- {name: NAUTES_TEMPORAL_UI_URL, value: {{ . | quote }}}
{{- end }}
{{- with .Values.codec }}
{{- if .secret }}
- {name: NAUTES_CODEC_KEYS_FILE, value: /run/secrets/codec}
{{- end }}
{{- with .current }}
- {name: NAUTES_CODEC_CURRENT, value: {{ . | quote }}}
{{- end }}
{{- with .transit }}
- {name: NAUTES_CODEC_TRANSIT, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- if .Values.trust.configMap }}
- {name: REQUESTS_CA_BUNDLE, value: /etc/ssl/certs/ca-certificates.crt}
- {name: SSL_CERT_FILE, value: /etc/ssl/certs/ca-certificates.crt}
{{- end }}
{{- range $name, $value := .Values.settings }}
- {name: NAUTES_{{ upper $name }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- range $name, $value := .Values.tracing }}
- {name: {{ $name }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- end }}

{{- define "nautes.temporalMounts" -}}
{{- if .Values.temporal.tls.caSecret }}
- {name: temporal-ca, mountPath: /run/secrets/temporal-ca, readOnly: true}
{{- end }}
{{- if .Values.temporal.tls.clientSecret }}
- {name: temporal-client, mountPath: /run/secrets/temporal-client, readOnly: true}
{{- end }}
{{- if .Values.temporal.profile.secret }}
- {name: temporal-profile, mountPath: /run/secrets/temporal-profile, readOnly: true}
{{- end }}
{{- end }}

{{- define "nautes.temporalVolumes" -}}
{{- with .Values.temporal.tls.caSecret }}
- {name: temporal-ca, secret: {secretName: {{ . | quote }}, defaultMode: 0440, items: [{key: ca.crt, path: ca.crt}]}}
{{- end }}
{{- with .Values.temporal.tls.clientSecret }}
- {name: temporal-client, secret: {secretName: {{ . | quote }}, defaultMode: 0440, items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]}}
{{- end }}
{{- with .Values.temporal.profile }}
{{- if .secret }}
- {name: temporal-profile, secret: {secretName: {{ .secret | quote }}, defaultMode: 0440, items: [{key: {{ .key | quote }}, path: {{ .key | quote }}}]}}
{{- end }}
{{- end }}
{{- end }}

{{- define "nautes.mounts" -}}
- {name: state, mountPath: /var/lib/nautes}
- {name: tmp, mountPath: /tmp}
- {name: vault, mountPath: /run/secrets/vault, readOnly: true}
{{- if .Values.codec.secret }}
- {name: codec, mountPath: /run/secrets/codec, readOnly: true}
{{- end }}
{{- if .Values.trust.configMap }}
- {name: trust, mountPath: /etc/ssl/certs/ca-certificates.crt, subPath: ca-certificates.crt, readOnly: true}
{{- end }}
{{- include "nautes.temporalMounts" . }}
{{- end }}

{{/* {root, account: the part of values.vault, size: of the cache}. */}}
{{- define "nautes.volumesOf" -}}
- {name: state, emptyDir: {sizeLimit: {{ .size }}}}
- {name: tmp, emptyDir: {sizeLimit: 256Mi}}
- {name: vault, secret: {secretName: {{ .account.secretIdSecret.name | quote }}, defaultMode: 0440, items: [{key: {{ .account.secretIdSecret.key | quote }}, path: secret-id}]}}
{{- with .root.Values.codec.secret }}
- {name: codec, secret: {secretName: {{ . | quote }}, defaultMode: 0440}}
{{- end }}
{{- with .root.Values.trust }}
{{- if .configMap }}
- {name: trust, configMap: {name: {{ .configMap | quote }}, items: [{key: {{ .key | quote }}, path: ca-certificates.crt}]}}
{{- end }}
{{- end }}
{{- include "nautes.temporalVolumes" .root }}
{{- end }}
