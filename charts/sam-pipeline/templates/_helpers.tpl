{{- define "sam-pipeline.labels" -}}
app.kubernetes.io/name: sam-pipeline
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- /* The ARN of a role that is given by name or by ARN: (list $ "value" name). */ -}}
{{- define "sam-pipeline.role" -}}
{{- $root := index . 0 }}{{ $value := index . 1 }}{{ $role := index . 2 }}
{{- if hasPrefix "arn:" $role }}{{ $role }}
{{- else if $root.Values.awsAccountId }}arn:aws:iam::{{ $root.Values.awsAccountId }}:role/{{ $role }}
{{- else }}{{ fail (printf "%s is the name of a role: set awsAccountId, or give the role's ARN" $value) }}
{{- end }}
{{- end }}

{{- /* Where and as whom AWS is called. */ -}}
{{- define "sam-pipeline.aws" -}}
{{- with .Values.awsRegion }}
Region: {{ . | quote }}
{{- end }}
{{- with .Values.awsEndpoint }}
Endpoint: {{ . | quote }}
{{- end }}
{{- with .Values.awsCredentialsSecret }}
CredentialsSecret: {{ . | quote }}
{{- end }}
{{- end }}

{{- /* The Git source's configuration; fails as the original's Rules do where a provider's parameters are missing. */ -}}
{{- define "sam-pipeline.source" -}}
{{- $v := .Values }}
{{- if $v.gitHubOAuthToken }}
{{- fail "gitHubOAuthToken is refused, as viewers may read a definition: put the token as password into a Secret of type kubernetes.io/basic-auth and name that in gitCredentialsSecret" }}
{{- end }}
{{- if eq $v.sourceCodeProvider "GitHub" }}
Url: {{ printf "https://github.com/%s/%s.git" (required "sourceCodeProvider GitHub needs gitHubOwner" $v.gitHubOwner) (required "sourceCodeProvider GitHub needs gitHubRepo" $v.gitHubRepo) }}
Branch: {{ $v.gitHubBranch | quote }}
{{- else if eq $v.sourceCodeProvider "CodeCommit" }}
Url: {{ printf "https://git-codecommit.%s.amazonaws.com/v1/repos/%s" (required "sourceCodeProvider CodeCommit needs awsRegion" $v.awsRegion) (required "sourceCodeProvider CodeCommit needs codeCommitRepo" $v.codeCommitRepo) }}
Branch: {{ $v.codeCommitBranch | quote }}
{{- if not $v.gitCredentialsSecret }}
{{- fail "sourceCodeProvider CodeCommit needs gitCredentialsSecret, with the Git credentials of an IAM user" }}
{{- end }}
{{- else }}
Url: {{ required "sourceCodeProvider Git needs gitUrl" $v.gitUrl | quote }}
Branch: {{ $v.gitBranch | quote }}
{{- end }}
{{- with $v.gitCredentialsSecret }}
CredentialsSecret: {{ . | quote }}
{{- end }}
{{- end }}

{{- /* A BuildProject's spec: (list $ buildspec). */ -}}
{{- define "sam-pipeline.project" -}}
{{- $root := index . 0 }}{{ $v := $root.Values }}
{{- if ne $v.environmentType "LINUX_CONTAINER" }}
{{- fail "environmentType WINDOWS_CONTAINER is refused: builds run in Linux containers" }}
{{- end }}
image: {{ $v.buildImage | quote }}
computeType: {{ trimPrefix "BUILD_GENERAL1_" $v.computeType }}
buildspec: {{ index . 1 | quote }}
{{- end }}

{{- define "sam-pipeline.packageBucket" -}}
{{- .Values.packageBucket | default (dig "location" "" .Values.artifactStore) }}
{{- end }}
