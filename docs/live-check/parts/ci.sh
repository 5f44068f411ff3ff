# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# Points 37 to 43: CI configurations, jobs, and what cannot be brought about.

# GitLab's word on a configuration: CONTENT.
lint() {
  body --arg content "$1" '{content: $content, include_jobs: true}'
  api POST "projects/$FORK/ci/lint"
  [[ $STATUS == 20[01] ]]
}
lint_answer() { printf '%s' "$(answer) $(get '[.errors[]? | strings] | join("; ")')"; }

need_templates() {
  need_base || return 1
  [ ! -e "$WORK/templates" ] || return 0
  local commit root=$HERE/../.. name
  local -a files=()
  for name in bot source-git dist-git fake-ci; do
    [ -r "$root/ci-templates/$name.yml" ] && [ -r "$root/templates/$name.yml" ] || { skipped "the templates are not beside this script" && return 1; }
    files+=("ci-templates/$name.yml" "$root/ci-templates/$name.yml" "templates/$name.yml" "$root/templates/$name.yml")
  done
  commit=$(commit_with refs/live-check/base "$PREFIX: templates" "${files[@]}") && push_to "$commit" "$NAME-templates" '' ||
    { skipped "no branch could be pushed to the fork: $(git_said)" && return 1; }
  printf '%s' "$commit" >"$WORK/templates"
}

readonly SOME_IMAGE=registry.example.com/group/source-git-bot:0.1.0
point_37() {
  need_templates || return
  local content
  content=$(jq -cn --arg project "$FORK_PATH" --arg ref "$(head -c 100 "$WORK/templates")" --arg image "$SOME_IMAGE" '
    def of($file; $inputs): {project: $project, ref: $ref, file: "/ci-templates/\($file).yml", inputs: $inputs};
    {include: [of("bot"; {image: $image, reconcile_jobs: 3}), of("source-git"; {image: $image}), of("dist-git"; {image: $image})]}')
  lint "$content" || { skipped "GitLab says nothing about a configuration: $(answer)" && return; }
  is '.valid == true' || { differs "$(lint_answer)" && return; }
  is '[.jobs[]?.name | strings] | (map(select(startswith("source-git-bot: reconcile"))) | length == 3)' ||
    { differs "the number of jobs of reconcile is not what the input says: $(get '[.jobs[]?.name] | tostring')" && return; }
  content=${content//'"reconcile_jobs":3'/'"reconcile_jobs":3,"no_such_input":"x"'}
  lint "$content" && is '.valid == false' || { differs 'an input that is not there is taken' && return; }
  ok
}

point_38() {
  need_templates || return
  local content
  content=$(jq -cn --arg at "$FORK_PATH/source-git@$(head -c 100 "$WORK/templates")" --arg image "$SOME_IMAGE" \
    '{include: [{component: "$CI_SERVER_FQDN/\($at)", inputs: {image: $image}}]}')
  lint "$content" || { skipped "GitLab says nothing about a configuration: $(answer)" && return; }
  is '.valid == true' && ok || differs "$(lint_answer)"
}

# One pipeline for the points that need a runner.
JOBS_PIPELINE='' JOBS_STATE=''
jobs_have_ended() {
  api GET "projects/$FORK/pipelines/$JOBS_PIPELINE" && [ "$STATUS" = 200 ] && is '.status | . == "success" or . == "failed" or . == "canceled" or . == "skipped"'
}
need_jobs() {
  [ "$JOBS" = yes ] || { need_project && skipped 'it waits for a runner, which wants --with-jobs' && return 1; }
  need_trigger_token || return 1
  if [ -z "$JOBS_PIPELINE" ]; then
    jobs_configuration >"$WORK/jobs.yml"
    need_branch jobs trigger || return 1
    # The notice, and beside it a text that GitLab may put a variable into.
    trigger jobs "$(jq -cn --argjson notice "$NOTICE" '$notice + {live_check: "<$SGB_LIVE_CHECK_WORD>"}')"
    [ "$STATUS" = 201 ] || { skipped "no pipeline was started: $(answer)" && return 1; }
    JOBS_PIPELINE=$(get '.id | select(type == "number")')
    [[ $JOBS_PIPELINE =~ ^[0-9]+$ ]] || return 1
    eventually jobs_have_ended && JOBS_STATE=$(get '.status')
  fi
  [ -n "$JOBS_STATE" ] || { skipped "no runner has done the jobs within $WAIT s (--wait, --runner-tag)" && return 1; }
}

jobs_configuration() {
  local tags=''
  [ -z "$RUNNER_TAG" ] || tags="default: {tags: [$RUNNER_TAG]}"
  cat <<END
$tags
variables:
  GIT_STRATEGY: none
  SGB_LIVE_CHECK_WORD: put-in

"$PREFIX: payload":
  script:
    - 'echo "payload-begins"; cat "\$TRIGGER_PAYLOAD"; echo; echo "payload-ends"'

"$PREFIX: allowed":
  script: ['exit 3']
  allow_failure:
    exit_codes: [3, 4]

"$PREFIX: retried":
  script: ['exit 5']
  allow_failure: true
  retry:
    max: 1
    exit_codes: [5]
END
  if [ -n "$IMAGE" ]; then
    cat <<END

"$PREFIX: image":
  image: $IMAGE
  script:
    - source-git-bot --version
    - git --version
    - 'echo "user-is \$(id -u)"'
END
  fi
}

# The log of a job of that pipeline, by the end of its name.
log_of() {
  local job
  api GET "projects/$FORK/pipelines/$JOBS_PIPELINE/jobs?per_page=100" && [ "$STATUS" = 200 ] || return 1
  job=$(get --arg name "$PREFIX: $1" '[.[] | select(.name == $name)][0].id | numbers') && [[ $job =~ ^[0-9]+$ ]] || return 1
  api GET "projects/$FORK/jobs/$job/trace" && [ "$STATUS" = 200 ]
}

point_39() {
  need_jobs || return
  log_of payload || { differs "the job or its log is not there: $(answer)" && return; }
  local log found
  log=$(head -c 200000 "$BODY") && log=${log##*payload-begins} && log=${log%%payload-ends*}
  found=${log#*\{} && found="{${found%\}*}}"
  printf '%s' "$found" >"$WORK/found"
  jq -e --argjson notice "$NOTICE" '.source_git_bot == $notice.source_git_bot' <"$WORK/found" >/dev/null 2>&1 || { differs "the job found $found" && return; }
  case $(jq -r '.live_check' <"$WORK/found" 2>/dev/null) in
    '<put-in>') ok 'GitLab puts variables into the payload, as the program expects of it' ;;
    '<$SGB_LIVE_CHECK_WORD>') ok 'GitLab puts no variables into the payload any more' ;;
    *) ok 'GitLab changes what looks like a variable in the payload' ;;
  esac
}

point_40() {
  need_jobs || return
  api GET "projects/$FORK/pipelines/$JOBS_PIPELINE/jobs?per_page=100&include_retried=true"
  is --arg name "$PREFIX: allowed" 'any(.[]; .name == $name and .status == "failed" and .allow_failure == true)' || { differs 'exit status 3 is no allowed failure' && return; }
  is --arg name "$PREFIX: retried" '[.[] | select(.name == $name)] | length == 2' || { differs 'exit status 5 did not have the job retried once' && return; }
  [ "$JOBS_STATE" = success ] || [ -n "$IMAGE" ] || { differs "the pipeline is $JOBS_STATE all the same" && return; }
  ok
}

point_41() {
  [ -n "$IMAGE" ] || { skipped 'it wants --image' && return; }
  need_jobs || return
  log_of image || { differs "the job or its log is not there: $(answer)" && return; }
  local log
  log=$(head -c 200000 "$BODY")
  [[ $log =~ user-is\ ([0-9]+) ]] && ok "it ran as user ${BASH_REMATCH[1]}" || differs 'the image does not run the program, git and a shell'
}

point_42() { skipped 'only a flood of requests would bring it about'; }
point_43() { skipped 'only writers within the same moment would bring it about'; }
