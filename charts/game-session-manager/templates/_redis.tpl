{{/*
How each process reaches Redis. There is a secret for each user, so that no pod holds another's password:
`<fullname>-redis-gateway`, `-matcher`, `-operator`: username, password, url; `-keda`: username, password.
*/}}

{{- define "gsm.redisSecret" -}}
{{- $user := index .root.Values.externalRedis.users .user -}}
{{- if and (not .root.Values.redis.enabled) $user.existingSecret -}}
{{ $user.existingSecret }}
{{- else -}}
{{ include "gsm.fullname" .root }}-redis-{{ .user }}
{{- end -}}
{{- end }}

{{- define "gsm.redisAddresses" -}}
{{- if .Values.redis.enabled -}}
{{ include "gsm.fullname" . }}-redis.{{ .Release.Namespace }}.svc:6379
{{- else -}}
{{ join "," .Values.externalRedis.addresses }}
{{- end -}}
{{- end }}

{{/* The URL that the processes read; called with (dict "root" $ "username" … "password" …). */}}
{{- define "gsm.redisUrl" -}}
{{- $external := .root.Values.externalRedis -}}
{{- $credentials := printf "%s:%s@" (.username | urlquery | replace "+" "%20") (.password | urlquery | replace "+" "%20") -}}
{{- if .root.Values.redis.enabled -}}
redis://{{ $credentials }}{{ include "gsm.redisAddresses" .root }}/0
{{- else -}}
{{- $scheme := ternary "rediss" "redis" $external.tls.enabled -}}
{{- $addresses := join "," $external.addresses -}}
{{- if eq $external.mode "sentinel" -}}
{{ $scheme }}+sentinel://{{ $credentials }}{{ $addresses }}/{{ $external.sentinelMaster }}/{{ $external.database }}
{{- else if eq $external.mode "cluster" -}}
{{ $scheme }}+cluster://{{ $credentials }}{{ $addresses }}
{{- else -}}
{{ $scheme }}://{{ $credentials }}{{ $addresses }}/{{ $external.database }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* KEDA's name for the way to Redis. */}}
{{- define "gsm.triggerType" -}}
{{- if or .Values.redis.enabled (eq .Values.externalRedis.mode "standalone") -}}redis
{{- else -}}redis-{{ .Values.externalRedis.mode }}
{{- end -}}
{{- end }}

{{/* What each of KEDA's triggers says of it, as a map. */}}
{{- define "gsm.triggerMetadata" -}}
{{- if .Values.redis.enabled -}}
address: {{ include "gsm.redisAddresses" . }}
{{- else -}}
{{- if eq .Values.externalRedis.mode "standalone" -}}
address: {{ first .Values.externalRedis.addresses }}
{{- else -}}
addresses: {{ include "gsm.redisAddresses" . | quote }}
{{- end }}
{{- if eq .Values.externalRedis.mode "sentinel" }}
sentinelMaster: {{ .Values.externalRedis.sentinelMaster | quote }}
{{- end }}
{{- if .Values.externalRedis.tls.enabled }}
enableTLS: "true"
{{- end }}
{{- if and .Values.externalRedis.database (ne .Values.externalRedis.mode "cluster") }}
databaseIndex: {{ .Values.externalRedis.database | quote }}
{{- end }}
{{- end -}}
{{- end }}

{{/* Changes with the way to Redis, so that pods that know the old one are replaced. Without passwords: whoever may read a pod could try guesses on their hash. */}}
{{- define "gsm.redisChecksum" -}}
{{- if not .Values.redis.enabled -}}
{{- $names := dict -}}
{{- range $role, $user := .Values.externalRedis.users -}}
{{- $names = set $names $role (omit $user "password") -}}
{{- end -}}
checksum/redis: {{ list (omit .Values.externalRedis "users") $names | toJson | sha256sum }}
{{- end -}}
{{- end }}

{{- define "gsm.privateAuthority" -}}
{{- if and (not .Values.redis.enabled) .Values.externalRedis.tls.enabled -}}
{{ .Values.externalRedis.tls.caSecret }}
{{- end -}}
{{- end }}
