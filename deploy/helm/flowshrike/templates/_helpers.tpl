{{/* Names, labels and images that several templates share, and what no schema can refuse. */}}

{{- define "flowshrike.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "flowshrike.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "flowshrike.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "flowshrike.selectorLabels" -}}
app.kubernetes.io/name: {{ include "flowshrike.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "flowshrike.labels" -}}
{{ include "flowshrike.selectorLabels" . }}
app.kubernetes.io/component: agent
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Without the versions, for which no pod need start anew. */}}
{{- define "flowshrike.podLabels" -}}
{{ include "flowshrike.selectorLabels" . }}
app.kubernetes.io/component: agent
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- with .Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "flowshrike.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "flowshrike.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{/* It belongs to no namespace: releases in two namespaces must not share one. */}}
{{- define "flowshrike.clusterRoleName" -}}
{{- printf "%s-%s" .Release.Namespace (include "flowshrike.fullname" .) -}}
{{- end }}

{{- define "flowshrike.priorityClassName" -}}
{{- if .Values.priorityClass.create -}}
{{- default (include "flowshrike.fullname" .) .Values.priorityClass.name -}}
{{- else -}}
{{- .Values.priorityClass.name -}}
{{- end -}}
{{- end }}

{{/* An image by its digest, or else by its tag: (list image default-tag). */}}
{{- define "flowshrike.image" -}}
{{- $image := first . -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default (last .) $image.tag) -}}
{{- end -}}
{{- end }}

{{/* The address for scrapers; kubelet puts in the node's address. */}}
{{- define "flowshrike.metricsListen" -}}
{{- if eq .Values.metrics.ipFamily "IPv6" -}}
[$(NODE_IP)]:{{ .Values.metrics.port }}
{{- else -}}
$(NODE_IP):{{ .Values.metrics.port }}
{{- end -}}
{{- end }}

{{/* Whether scrapers speak TLS, and whether they show a token: a word, or nothing. */}}
{{- define "flowshrike.metricsTls" -}}
{{- if and .Values.metrics.enabled .Values.metrics.tls.secretName -}}yes{{- end -}}
{{- end }}

{{- define "flowshrike.metricsToken" -}}
{{- if and .Values.metrics.enabled .Values.metrics.token.secretName -}}yes{{- end -}}
{{- end }}

{{/* How a monitor reaches the metrics: (list root monitor). */}}
{{- define "flowshrike.endpoint" -}}
{{- $root := first . -}}
{{- $monitor := last . -}}
- port: metrics
  path: /metrics
  {{- if include "flowshrike.metricsTls" $root }}
  scheme: https
  {{- end }}
  {{- with $monitor.tlsConfig }}
  tlsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if include "flowshrike.metricsToken" $root }}
  # In the monitor's namespace, as the Operator wants it.
  authorization:
    credentials:
      name: {{ $root.Values.metrics.token.secretName }}
      key: {{ $root.Values.metrics.token.key }}
  {{- end }}
  {{- with $monitor.interval }}
  interval: {{ . }}
  {{- end }}
  {{- with $monitor.scrapeTimeout }}
  scrapeTimeout: {{ . }}
  {{- end }}
  relabelings:
    - sourceLabels: [__meta_kubernetes_pod_node_name]
      targetLabel: node
    {{- with $monitor.relabelings }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $monitor.metricRelabelings }}
  metricRelabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* How the kubelet asks the admin server: (list root path). It is on the node's network itself, so it reaches the loopback address. */}}
{{- define "flowshrike.probe" -}}
{{- $root := first . -}}
httpGet:
  path: {{ last . }}
  port: {{ $root.Values.admin.port }}
  host: 127.0.0.1
{{- end }}

{{/* What each value allows by itself, but not together. */}}
{{- define "flowshrike.refuse" -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- fail "serviceMonitor.enabled and podMonitor.enabled: choose one, or every node is scraped twice" -}}
{{- end -}}
{{- if and (not .Values.metrics.enabled) (or .Values.serviceMonitor.enabled .Values.podMonitor.enabled) -}}
{{- fail "serviceMonitor and podMonitor need metrics.enabled: true, since nothing outside of a node reaches its loopback address" -}}
{{- end -}}
{{- if and .Values.metrics.enabled (eq (int .Values.metrics.port) (int .Values.admin.port)) -}}
{{- fail "metrics.port and admin.port: they need different ports, since health and readiness stay on the loopback address" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.service.enabled) -}}
{{- fail "serviceMonitor.enabled needs service.enabled: true" -}}
{{- end -}}
{{- end }}
