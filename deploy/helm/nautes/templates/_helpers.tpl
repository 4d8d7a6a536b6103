{{/* Names, labels and images. Templates with "of" in their name take a dict with "root". */}}

{{- define "nautes.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 30 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name $name | trunc 30 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- define "nautes.selector" -}}
app.kubernetes.io/name: nautes
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* Of objects, not of pods: a new version of the chart alone replaces no pod. */}}
{{- define "nautes.labels" -}}
{{ include "nautes.selector" . }}
app.kubernetes.io/part-of: nautes
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The image of a build: {root, given: {repository?, tag?, digest?}}. */}}
{{- define "nautes.imageOf" -}}
{{- $repository := default .root.Values.image.repository .given.repository -}}
{{- if .given.digest }}{{ $repository }}@{{ .given.digest }}{{ else }}{{ $repository }}:{{ .given.tag }}{{ end -}}
{{- end }}

{{- define "nautes.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag -}}
{{- include "nautes.imageOf" (dict "root" . "given" (dict "tag" $tag "digest" .Values.image.digest)) -}}
{{- end }}

{{/* The build that is rolled out: as given, or as the image is named. */}}
{{- define "nautes.build" -}}
{{- if .Values.build.id }}{{ .Values.build.id }}
{{- else if .Values.image.digest }}{{ .Values.image.digest | trimPrefix "sha256:" | trunc 12 }}
{{- else }}{{ default .Chart.AppVersion .Values.image.tag }}{{ end -}}
{{- end }}

{{/* All builds that have workers, as a list of {id, image}: the one that is rolled out, then those that still have work. */}}
{{- define "nautes.builds" -}}
{{- $root := . -}}
{{- $builds := list (dict "id" (include "nautes.build" .) "image" (include "nautes.image" .)) -}}
{{- range .Values.previousBuilds }}{{ if not .drained -}}
{{- if eq .id (include "nautes.build" $root) }}{{ fail (printf "previousBuilds: %s is the build that is rolled out" .id) }}{{ end -}}
{{- if not (or .tag .digest) }}{{ fail (printf "previousBuilds: %s has neither a tag nor a digest" .id) }}{{ end -}}
{{- $builds = append $builds (dict "id" .id "image" (include "nautes.imageOf" (dict "root" $root "given" .))) -}}
{{- end }}{{ end -}}
{{- dict "builds" $builds | toJson -}}
{{- end }}

{{/* The groups of workers with the defaults filled in. Refuses a queue that nobody serves: what is put there would wait for ever. */}}
{{- define "nautes.groups" -}}
{{- $root := . -}}
{{- $served := .Values.queuesElsewhere -}}
{{- $groups := dict -}}
{{- range $name, $group := .Values.workers }}{{ if $group -}}
{{- $served = concat $served $group.queues -}}
{{- $_ := set $groups $name (mergeOverwrite (deepCopy $root.Values.workerDefaults) (deepCopy $group)) -}}
{{- end }}{{ end -}}
{{- range list "workflows" "gitlab" "clusters" "observe" -}}
{{- if not (has . $served) }}{{ fail (printf "workers: no group serves the queue %s (queuesElsewhere names what others serve)" .) }}{{ end -}}
{{- end -}}
{{- $groups | toJson -}}
{{- end }}

{{/* Workers of a build that upgrade would take away although workflows may still be pinned to it. */}}
{{- define "nautes.guard" -}}
{{- $known := list (include "nautes.build" .) -}}
{{- range .Values.previousBuilds }}{{ $known = append $known .id }}{{ end -}}
{{- $selector := include "nautes.selector" . | fromYaml -}}
{{- range (lookup "apps/v1" "Deployment" .Release.Namespace "").items -}}
{{- $labels := default dict .metadata.labels -}}
{{- $build := index $labels "nautes.io/build" -}}
{{- if and $build (eq (get $labels "app.kubernetes.io/instance") (get $selector "app.kubernetes.io/instance")) (eq (default "" (get $labels "app.kubernetes.io/name")) "nautes") (not (has $build $known)) -}}
{{- $image := (first .spec.template.spec.containers).image -}}
{{- fail (printf "build %s has workers here (image %s), and what it has begun would stop without them. Add it to previousBuilds: `{id: %s, tag or digest of that image}`; or, once `nautes-rollout status` shows it as drained, `{id: %s, drained: true}`" $build $image $build $build) -}}
{{- end -}}
{{- end -}}
{{- end }}
