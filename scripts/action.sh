#!/usr/bin/env bash
# What action.yml runs: installs flowdsl from the checkout of the action, and checks flows with it.
set -euo pipefail

environment="${RUNNER_TEMP:?}/flowdsl"
"${FLOWDSL_PYTHON:-python3}" -m venv "$environment"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check "${GITHUB_ACTION_PATH:?}"

paths=()
while IFS= read -r path; do
    if [[ -n $path ]]; then paths+=("$path"); fi
done <<<"${FLOWDSL_PATHS:-.}"
check=("$environment/bin/flowdsl" validate "${paths[@]}")
if [[ -n ${FLOWDSL_FAIL_ON:-} ]]; then check+=(--fail-on "$FLOWDSL_FAIL_ON"); fi
if [[ -n ${FLOWDSL_BASELINE:-} ]]; then check+=(--baseline "$FLOWDSL_BASELINE"); fi

if [[ -n ${FLOWDSL_SARIF:-} ]]; then
    "${check[@]}" --format sarif --output-file "$FLOWDSL_SARIF" --quiet 2>/dev/null || true # the check below says it all
fi
if [[ -n ${GITHUB_STEP_SUMMARY:-} ]]; then
    { echo '```text' && { "${check[@]}" --format concise 2>&1 || true; } && echo '```'; } >>"$GITHUB_STEP_SUMMARY"
fi
"${check[@]}" --format github
