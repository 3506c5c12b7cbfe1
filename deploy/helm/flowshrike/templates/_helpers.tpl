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

{{/* The address of the admin server; kubelet puts in the node's address. */}}
{{- define "flowshrike.listen" -}}
{{- if eq .Values.admin.listen "loopback" -}}
127.0.0.1:{{ .Values.admin.port }}
{{- else if eq .Values.admin.ipFamily "IPv6" -}}
[$(NODE_IP)]:{{ .Values.admin.port }}
{{- else -}}
$(NODE_IP):{{ .Values.admin.port }}
{{- end -}}
{{- end }}

{{/* How the kubelet asks the admin server: (list root path). It is on the node's network itself, so it reaches the loopback address too. */}}
{{- define "flowshrike.probe" -}}
{{- $root := first . -}}
httpGet:
  path: {{ last . }}
  port: {{ $root.Values.admin.port }}
  {{- if eq $root.Values.admin.listen "loopback" }}
  host: 127.0.0.1
  {{- end }}
{{- end }}

{{/* What each value allows by itself, but not together. */}}
{{- define "flowshrike.refuse" -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- fail "serviceMonitor.enabled and podMonitor.enabled: choose one, or every node is scraped twice" -}}
{{- end -}}
{{- if and (eq .Values.admin.listen "loopback") (or .Values.serviceMonitor.enabled .Values.podMonitor.enabled) -}}
{{- fail "serviceMonitor and podMonitor need admin.listen: node, since nothing outside of a node reaches its loopback address" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.service.enabled) -}}
{{- fail "serviceMonitor.enabled needs service.enabled: true" -}}
{{- end -}}
{{- end }}
