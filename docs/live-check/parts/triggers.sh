# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# Points 27 to 36: triggers, webhooks, and the issue that tells how an instance fares.

point_27() {
  need_triggered || return
  api GET "projects/$FORK/pipelines/$TRIGGERED"
  is '.source == "trigger"' || { differs "the pipeline's source is $(get '.source')" && return; }
  api GET "projects/$FORK/pipelines/$TRIGGERED/variables"
  [ "$STATUS" = 200 ] || { skipped "the variables cannot be read: $(answer)" && return; }
  is '[.[] | select(.key == "TRIGGER_PAYLOAD")] | length == 1 and .[0].variable_type == "file"' || { differs 'there is no variable TRIGGER_PAYLOAD of type file' && return; }
  payload_of "$TRIGGERED" || { differs 'TRIGGER_PAYLOAD is no JSON object' && return; }
  jq -e --argjson notice "$NOTICE" '.source_git_bot == $notice.source_git_bot' <"$WORK/payload" >/dev/null || { differs 'the notice is not in it as it was sent' && return; }
  jq -e '(.variables // {}) == {} and (has("token") | not)' <"$WORK/payload" >/dev/null || { differs 'it has a token or variables that nobody sent' && return; }
  ok "besides the notice it holds $(jq -r 'del(.source_git_bot) | keys_unsorted | join(", ")' <"$WORK/payload" 2>/dev/null)"
}

payload_of() {
  api GET "projects/$FORK/pipelines/$1/variables" && [ "$STATUS" = 200 ] || return 1
  get '[.[] | select(.key == "TRIGGER_PAYLOAD")][0].value | strings' >"$WORK/text-of-payload"
  jq -e 'objects' <"$WORK/text-of-payload" >"$WORK/payload" 2>/dev/null
}

point_28() {
  need_triggered || { [[ $SEEN == 'no pipeline was started'* ]] && differs "$SEEN"; return; }
  api GET "projects/$FORK"
  is '.ci_pipeline_variables_minimum_override_role == "no_one_allowed"' || { differs "the setting reads $(get '.ci_pipeline_variables_minimum_override_role')" && return; }
  trigger trigger '{"variables": {"SGB_LIVE_CHECK": "x"}}'
  [ "$STATUS" = 400 ] && ok "variables are refused: $(answer)" || differs "with variables: $(answer)"
}

point_29() {
  need_trigger_token && need_branch inputs 'trigger|api' || return
  trigger inputs '{"inputs": {"command": "sync"}}'
  [ "$STATUS" = 201 ] || { differs "with an input: $(answer)" && return; }
  trigger inputs '{"inputs": {"command": "retest"}}'
  [ "$STATUS" = 400 ] && ok "$(answer)" || differs "with an input that leaves no job: $(answer)"
}

point_30() {
  need_trigger_token || return
  printf '"%s: report":\n  stage: .post\n  script: ["true"]\n' "$PREFIX" >"$WORK/post.yml"
  need_branch post trigger || return
  trigger post
  [ "$STATUS" = 400 ] && ok "$(answer)" || differs "$(answer)"
}

point_31() {
  need_branch trigger 'trigger|api' || return
  body '{token: "glptt-not-one-of-this-project"}'
  ACCESS=without-token api POST "projects/$FORK/ref/$NAME-trigger/trigger/pipeline"
  [ "$STATUS" = 404 ] && ok || differs "$(answer)"
}

readonly TEMPLATE='{"source_git_bot": {"v": "1", "kind": "{{object_kind}}", "project": "{{project.id}}", "id": "{{object_attributes.id}}", "iid": "{{object_attributes.iid}}", "mr": "{{merge_request.iid}}", "mr_project": "{{merge_request.target_project_id}}"}}'

has_notice() {
  api GET "projects/$FORK/pipelines?source=trigger&ref=$NAME-trigger&order_by=id&sort=desc&per_page=1" || return 1
  local newest
  newest=$(get '.[0].id | numbers') && [[ $newest =~ ^[0-9]+$ ]] && payload_of "$newest" &&
    jq -e --arg iid "$OWN_IID" --arg project "$FORK" '.source_git_bot | .kind == "merge_request" and .iid == $iid and .project == $project' <"$WORK/payload" >/dev/null
}
point_32() {
  need_own_merge_request && need_trigger_token && need_branch trigger 'trigger|api' || return
  need_hook merge_requests_events "$(trigger_address)" "$TEMPLATE" || return
  try_hook merge_requests_events || return
  local text=$SEEN
  [[ "$(get '.url | tostring')" != *"$TRIGGER_TOKEN"* ]] || { differs 'the address in the list of deliveries tells the token' && return; }
  is --arg iid "$OWN_IID" --arg project "$FORK" '.request_data.source_git_bot
    | .v == "1" and .kind == "merge_request" and .project == $project and .iid == $iid
      and (.mr == "" or .mr == "null") and (.mr_project == "" or .mr_project == "null")' ||
    { differs "what was sent is $(get '.request_data | tostring')" && return; }
  text="a missing field is \"$(get '.request_data.source_git_bot.mr')\""
  is '.response_status | tostring == "201"' || { differs "the trigger URL answered $(get '.response_status | tostring'): $(get '.response_body | tostring')" && return; }
  eventually has_notice && ok "$text" || differs 'the payload of the pipeline is not what was sent'
}

point_33() {
  need_triggered || return
  need_hook pipeline_events "$(trigger_address)" "$TEMPLATE" || return
  try_hook pipeline_events || return
  is '.response_status | tostring == "403"' && ok || differs "the trigger URL answered $(get '.response_status | tostring'): $(get '.response_body | tostring')"
}

point_34() {
  need_triggered || return
  local relay template
  body --arg name "$NAME" '{name: $name, scopes: ["api"], access_level: 30, expires_at: (now + 172800 | strftime("%Y-%m-%d"))}'
  api POST "projects/$FORK/access_tokens"
  relay=$(get '.token | strings')
  [ "$STATUS" = 201 ] && [[ $relay =~ ^[!-~]{6,}$ ]] || { skipped "no project access token could be made: $(answer)" && return; }
  SECRETS+=("$relay")
  template=$(jq -cn --arg ref "$NAME-relay" '{ref: $ref, inputs: {project: "{{project.id}}", pipeline: "{{object_attributes.id}}", status: "{{object_attributes.status}}"}}')
  relay_configuration >"$WORK/relay.yml"
  need_branch relay api || return
  need_hook pipeline_events "$API/projects/$FORK/pipeline" "$template" "$relay" || return
  try_hook pipeline_events || return
  is '.response_status | tostring == "201"' && ok || differs "the create-pipeline address answered $(get '.response_status | tostring'): $(get '.response_body | tostring')"
}

relay_configuration() {
  cat <<END
spec:
  inputs:
    project: {type: string, regex: '^[0-9]{1,12}\$'}
    pipeline: {type: string, regex: '^[0-9]{1,12}\$'}
    status: {type: string, regex: '^[a-z_]{1,30}\$'}
---
"$PREFIX: relay":
  rules:
    - when: manual
      allow_failure: true
  script: ['echo \$[[ inputs.project ]] \$[[ inputs.pipeline ]] \$[[ inputs.status ]]']
END
}

is_off() { api GET "projects/$FORK/hooks/$HOOK" && [ "$STATUS" = 200 ] && is '.alert_status == "temporarily_disabled" or .alert_status == "disabled"'; }
point_35() {
  need_own_merge_request && need_branch trigger 'trigger|api' || return
  HOOK_TOKEN=glptt-not-one-of-this-project need_hook note_events "$(trigger_address)" "$TEMPLATE" || return
  api GET "projects/$FORK/hooks/$HOOK"
  is '.alert_status == "executable"' || { differs "a new webhook is \"$(get '.alert_status | tostring')\"" && return; }
  local number
  for number in 1 2 3 4; do
    body --arg text "$PREFIX: comment $number" '{body: $text}'
    api POST "projects/$FORK/merge_requests/$OWN_IID/notes"
    [ "$STATUS" = 201 ] || { skipped "no note could be written: $(answer)" && return; }
    pause 3
  done
  eventually is_off && is '.disabled_until != null' && ok "it is \"$(get '.alert_status')\" until $(get '.disabled_until')" ||
    differs "after four failures it is \"$(get '.alert_status | tostring')\""
}

point_36() {
  need_fork || return
  local issue
  body --arg title "$NAME" '{title: $title, description: "first", confidential: true}'
  api POST "projects/$FORK/issues"
  [ "$STATUS" = 201 ] || { skipped "no issue could be opened: $(answer)" && return; }
  issue=$(get '.iid | select(type == "number")')
  is '.confidential == true' || { differs 'the issue is not confidential' && return; }
  body '{description: "second"}'
  api PUT "projects/$FORK/issues/$issue"
  [ "$STATUS" = 200 ] || { differs "editing: $(answer)" && return; }
  body '{body: "a comment"}'
  api POST "projects/$FORK/issues/$issue/notes"
  api GET "projects/$FORK/issues/$issue/notes?activity_filter=only_comments&order_by=created_at&sort=asc"
  is 'length == 1 and .[0].body == "a comment"' || { differs "the comments alone: $(answer), $(get 'length') notes" && return; }
  api GET "projects/$FORK/issues?author_id=$ME&scope=all&order_by=created_at&sort=asc"
  is --arg title "$NAME" 'any(.[]; .title == $title)' || { differs 'its author does not see it in the list' && return; }
  ACCESS=without-token api GET "projects/$FORK/issues"
  [ "$STATUS" = 200 ] || { skipped "the fork is not public, so nothing is shown to strangers at all" && return; }
  is --arg title "$NAME" 'any(.[]; .title == $title)' && differs 'a stranger sees it' || ok
}
