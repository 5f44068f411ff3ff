# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# What points need and this run makes: each once, when the first point asks for it.

need_project() {
  [ -z "$TARGET" ] || return 0
  api GET user && [ "$STATUS" = 200 ] || { skipped "whose token it is cannot be read: $(answer)" && return 1; }
  ME=$(get '.id | select(type == "number")') MY_NAME=$(get '.username | strings')
  MY_MAIL=$(get '(.commit_email // .email // .public_email) | strings')
  [ -n "$MY_MAIL" ] || MY_MAIL=$PREFIX@localhost
  [[ $ME =~ ^[0-9]+$ && $MY_NAME =~ $A_PATH ]] || { skipped 'whose token it is cannot be read' && return 1; }
  api GET "projects/$(part "$PROJECT")" && [ "$STATUS" = 200 ] || { skipped "the project cannot be read: $(answer)" && return 1; }
  [ "$(get '.path_with_namespace')" = "$PROJECT" ] || { skipped 'the project has another path now' && return 1; }
  BASE_BRANCH=$(get '.default_branch | strings') TARGET_CI=$(get '.ci_config_path | strings')
  ROLE=$(get '[.permissions.project_access?.access_level?, .permissions.group_access?.access_level?] | map(numbers) | max // 0')
  ALLOWED_FORKS=$(get '.ci_allow_fork_pipelines_to_run_in_parent_project')
  [[ $BASE_BRANCH =~ ^[A-Za-z0-9][A-Za-z0-9._/-]*$ ]] || { skipped 'the project has no default branch with a plain name' && return 1; }
  [[ $ROLE =~ ^[0-9]+$ ]] || ROLE=0
  TARGET=$(get '.id | select(type == "number")')
  [[ $TARGET =~ ^[0-9]+$ ]]
}

need_writes() {
  need_project || return 1
  [ "$WRITES" = yes ] || { skipped 'it writes, which wants --yes' && return 1; }
}

fork_is_filled() {
  api GET "projects/$FORK" && [ "$STATUS" = 200 ] && is '.import_status | . != "scheduled" and . != "started"'
}

FORK_ANSWER='' FORK_STATE=''
need_fork() {
  need_writes || return 1
  [ -z "$FORK" ] || return 0
  [ -z "$FORK_ANSWER" ] || { skipped "there is no fork: $FORK_ANSWER" && return 1; }
  FORK_PATH=${INTO:-$MY_NAME}/$NAME
  body --arg into "${INTO:-$MY_NAME}" --arg name "$NAME" '{namespace_path: $into, path: $name, name: $name}'
  api POST "projects/$TARGET/fork"
  FORK_ANSWER=$(answer)
  if [ "$STATUS" != 201 ] || [ "$(get '.path_with_namespace')" != "$FORK_PATH" ]; then
    skipped "there is no fork: $FORK_ANSWER" && return 1
  fi
  FORK_STATE=$(get '.import_status | strings')
  FORK=$(get '.id | select(type == "number")')
  eventually fork_is_filled || { FORK='' FORK_ANSWER="it was not filled within $WAIT s" && skipped "$FORK_ANSWER" && return 1; }
  body --arg path "$PREFIX.yml" '{ci_config_path: $path}'
  if ! api PUT "projects/$FORK" || [ "$STATUS" != 200 ]; then
    FORK='' FORK_ANSWER="it cannot be set up, $(answer)" && skipped "there is no fork: $FORK_ANSWER" && return 1
  fi
  # Who may not set this is told by the point that reads it.
  body '{ci_pipeline_variables_minimum_override_role: "no_one_allowed"}'
  api PUT "projects/$FORK"
  return 0
}

need_base() {
  need_fork || return 1
  [ ! -d "$WORK/store" ] || return 0
  if ! { mkdir "$WORK/store" && git_ init --quiet --bare &&
    git_ fetch --quiet --no-tags --depth=50 --filter=blob:none target "+refs/heads/$BASE_BRANCH:refs/live-check/base"; }; then
    rm -rf "$WORK/store"
    skipped "the project cannot be fetched: $(git_said)" && return 1
  fi
}

# The configuration of a pipeline that has a job for what the rule says, and does nothing in the project.
write_configuration() {
  local tags=''
  [ -z "$RUNNER_TAG" ] || tags="  tags: [$RUNNER_TAG]"
  cat >"$1" <<END
# Made by docs/live-check/run of source-git-bot.
spec:
  inputs:
    command:
      type: string
      default: sync
      options: [sync, retest]
---
workflow:
  rules:
    - if: \$CI_PIPELINE_SOURCE =~ /^($2)\$/

"$PREFIX: by hand":
$tags
  rules:
    - if: '"\$[[ inputs.command ]]" != "sync" && \$CI_PIPELINE_SOURCE != "web"'
      when: never
    - when: manual
      allow_failure: true
  script: ['true']
END
}

need_merge_request() {
  need_base || return 1
  [ -z "$IID" ] || return 0
  local branch=$NAME-mr files
  printf 'Made by docs/live-check/run of source-git-bot.\n' >"$WORK/text"
  write_configuration "$WORK/mr.yml" merge_request_event
  files=("$PREFIX.txt" "$WORK/text" "$PREFIX.yml" "$WORK/mr.yml")
  [[ ${TARGET_CI:-.gitlab-ci.yml} =~ ^[A-Za-z0-9._/-]+$ ]] && files+=("${TARGET_CI:-.gitlab-ci.yml}" "$WORK/mr.yml")
  HEAD=$(commit_with refs/live-check/base "$PREFIX: first" "${files[@]}") && push_to "$HEAD" "$branch" '' ||
    { HEAD='' && skipped "no branch could be pushed to the fork: $(git_said)" && return 1; }
  body --arg branch "$branch" --arg target "$BASE_BRANCH" --argjson project "$TARGET" --arg title "Draft: $PREFIX: please ignore" \
    '{source_branch: $branch, target_branch: $target, target_project_id: $project, title: $title,
      description: "Made by docs/live-check/run of source-git-bot, and closed by it."}'
  api POST "projects/$FORK/merge_requests" && [ "$STATUS" = 201 ] || { skipped "no merge request could be opened: $(answer)" && return 1; }
  IID=$(get '.iid | select(type == "number")')
  [[ $IID =~ ^[0-9]+$ ]]
}

has_head() { api GET "projects/$1/merge_requests/$2" && [ "$STATUS" = 200 ] && is --arg head "$3" '.sha == $head'; }

# A merge request within the fork, for what would not be polite in the project.
need_own_merge_request() {
  need_base || return 1
  [ -z "$OWN_IID" ] || return 0
  printf 'Made by docs/live-check/run of source-git-bot.\n' >"$WORK/text"
  write_configuration "$WORK/own.yml" 'trigger|api'
  OWN_HEAD=$(commit_with refs/live-check/base "$PREFIX: own" "$PREFIX.txt" "$WORK/text" "$PREFIX.yml" "$WORK/own.yml") &&
    push_to "$OWN_HEAD" "$NAME-own" '' || { skipped "no branch could be pushed to the fork: $(git_said)" && return 1; }
  body --arg branch "$NAME-own" --arg target "$BASE_BRANCH" --argjson project "$FORK" --arg title "$PREFIX: own" \
    '{source_branch: $branch, target_branch: $target, target_project_id: $project, title: $title}'
  api POST "projects/$FORK/merge_requests" && [ "$STATUS" = 201 ] || { skipped "no merge request could be opened in the fork: $(answer)" && return 1; }
  OWN_IID=$(get '.iid | select(type == "number")')
  [[ $OWN_IID =~ ^[0-9]+$ ]] || { OWN_IID='' && return 1; }
  eventually has_head "$FORK" "$OWN_IID" "$OWN_HEAD" || { skipped 'GitLab did not prepare the merge request in the fork' && return 1; }
}

# A branch of the fork with a configuration, by the end of its name: NAME SOURCES.
need_branch() {
  need_base || return 1
  [ ! -e "$WORK/branch-$1" ] || return 0
  [ -e "$WORK/$1.yml" ] || write_configuration "$WORK/$1.yml" "$2"
  local commit
  commit=$(commit_with refs/live-check/base "$PREFIX: $1" "$PREFIX.yml" "$WORK/$1.yml") && push_to "$commit" "$NAME-$1" '' ||
    { skipped "no branch could be pushed to the fork: $(git_said)" && return 1; }
  printf '%s' "$commit" >"$WORK/branch-$1"
}

need_trigger_token() {
  need_fork || return 1
  [ -z "$TRIGGER_TOKEN" ] || return 0
  body --arg name "$NAME" '{description: $name}'
  api POST "projects/$FORK/triggers" && [ "$STATUS" = 201 ] || { skipped "no trigger token could be made: $(answer)" && return 1; }
  TRIGGER_TOKEN=$(get '.token | strings')
  [[ $TRIGGER_TOKEN =~ ^[!-~]{6,}$ ]] || { TRIGGER_TOKEN='' && skipped 'GitLab does not tell the trigger token' && return 1; }
  SECRETS+=("$TRIGGER_TOKEN")
}

# Starts a pipeline with the trigger token for a branch: NAME, and what else is in the body.
trigger() {
  SECRET=$TRIGGER_TOKEN jq -cn --argjson more "${2-null}" '{token: env.SECRET} + ($more // {})' >"$SENT"
  ACCESS=without-token api POST "projects/$FORK/ref/$NAME-$1/trigger/pipeline"
}

readonly NOTICE='{"source_git_bot": {"v": "1", "kind": "merge_request", "project": "7", "id": "70", "iid": "3", "mr": "", "mr_project": "null"}}'

need_triggered() {
  need_trigger_token && need_branch trigger 'trigger|api' || return 1
  [ -z "$TRIGGERED" ] || return 0
  trigger trigger "$NOTICE"
  [ "$STATUS" = 201 ] || { skipped "no pipeline was started: $(answer)" && return 1; }
  TRIGGERED=$(get '.id | select(type == "number")')
  [[ $TRIGGERED =~ ^[0-9]+$ ]]
}

# Makes a webhook of the fork: EVENT ADDRESS TEMPLATE [HEADER'S VALUE]; its number is then in $HOOK. The address may have a
# masked part {token}, which stands for the trigger token or for $HOOK_TOKEN.
HOOK='' HOOK_TOKEN=''
need_hook() {
  SECRET=${HOOK_TOKEN:-$TRIGGER_TOKEN} VALUE=${4-} jq -cn --arg event "$1" --arg url "$2" --arg template "$3" '
    {url: $url, push_events: false, custom_webhook_template: $template} + {($event): true}
    + if $url | contains("{token}") then {url_variables: [{key: "token", value: env.SECRET}]} else {} end
    + if env.VALUE != "" then {custom_headers: [{key: "PRIVATE-TOKEN", value: env.VALUE}]} else {} end' >"$SENT"
  api POST "projects/$FORK/hooks" && [ "$STATUS" = 201 ] || { skipped "no webhook could be made: $(answer)" && return 1; }
  HOOK=$(get '.id | select(type == "number")')
  [[ $HOOK =~ ^[0-9]+$ ]]
}

# Has the webhook send an example, and looks at what came of it: EVENT. The delivery is then the answer.
delivered() { api GET "projects/$FORK/hooks/$HOOK/events?per_page=1" && [ "$STATUS" = 200 ] && is 'length > 0'; }
try_hook() {
  body '{}'
  api POST "projects/$FORK/hooks/$HOOK/test/$1"
  eventually delivered || { skipped "nothing was delivered within $WAIT s: $(answer)" && return 1; }
  jq '.[0]' <"$BODY" >"$WORK/one" && head -c "$LIMIT" "$WORK/one" >"$BODY"
}

trigger_address() { printf '%s/projects/%s/ref/%s-trigger/trigger/pipeline?token={token}' "$API" "$FORK" "$NAME"; }
