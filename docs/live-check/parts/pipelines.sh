# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# Points 22 to 26: where pipelines run and where commit statuses show.

# A pipeline of the merge request, if it runs in the project.
PIPELINE_PLACE='' PIPELINE_ANSWER=''
need_pipeline() {
  need_merge_request || return 1
  [ -z "$PIPELINE_ANSWER" ] || return 0
  [[ ${TARGET_CI:-.gitlab-ci.yml} =~ ^[A-Za-z0-9._/-]+$ ]] ||
    { skipped 'the CI configuration of the project lies elsewhere: its real CI would run' && return 1; }
  eventually has_head "$TARGET" "$IID" "$HEAD" || { skipped 'GitLab did not prepare the merge request' && return 1; }
  body '{}'
  api POST "projects/$TARGET/merge_requests/$IID/pipelines"
  PIPELINE_ANSWER=$(answer)
  case $STATUS in
    200 | 201)
      PIPELINE_PLACE=$(get '.project_id | numbers')
      [ "$PIPELINE_PLACE" != "$TARGET" ] || PIPELINE=$(get '.id | select(type == "number")')
      ;;
  esac
}

point_22() {
  need_pipeline || return
  local expected=$FORK where='the fork'
  [ "$ROLE" -lt 30 ] || [ "$ALLOWED_FORKS" = false ] || { expected=$TARGET && where='the project'; }
  [ -n "$PIPELINE_PLACE" ] || { differs "$PIPELINE_ANSWER" && return; }
  [ "$PIPELINE_PLACE" = "$expected" ] && ok "with role $ROLE it runs in $where" || differs "with role $ROLE it runs in project $PIPELINE_PLACE, not in $where"
}

shows_pipeline() { api GET "projects/$TARGET/merge_requests/$IID" && [ "$STATUS" = 200 ] && is --argjson id "$PIPELINE" '.head_pipeline.id == $id'; }
point_23() {
  need_pipeline || return
  [ -n "$PIPELINE" ] || { skipped "no pipeline of the merge request runs in the project: the token's role there is $ROLE" && return; }
  body --argjson pipeline "$PIPELINE" --arg name "$PREFIX / shown" '{state: "success", name: $name, description: "seen from a fork", pipeline_id: $pipeline}'
  api POST "projects/$TARGET/statuses/$HEAD"
  [ "$STATUS" = 200 ] || [ "$STATUS" = 201 ] || { differs "posting: $(answer)" && return; }
  api GET "projects/$TARGET/repository/commits/$HEAD/statuses?per_page=100"
  is --argjson pipeline "$PIPELINE" --arg name "$PREFIX / shown" 'any(.[]; .name == $name and .pipeline_id == $pipeline)' ||
    { differs 'the status is not listed in that pipeline' && return; }
  eventually shows_pipeline && ok "see the merge request's page: pipeline $PIPELINE has \"$PREFIX / shown\"" ||
    differs "the merge request shows pipeline $(get '.head_pipeline.id'), not $PIPELINE"
}

# Posts a status on the branch of the merge request in the fork: NAME STATE.
post_status() {
  body --arg name "$1" --arg state "$2" --arg ref "$NAME-own" '{name: $name, state: $state, ref: $ref}'
  api POST "projects/$FORK/statuses/$OWN_HEAD"
}

shows_external() {
  api GET "projects/$FORK/merge_requests/$OWN_IID/pipelines?per_page=100" && [ "$STATUS" = 200 ] && is --arg head "$OWN_HEAD" 'any(.[]; .source == "external" and .sha == $head)'
}
point_24() {
  need_own_merge_request || return
  post_status "$PREFIX / branch" success
  [ "$STATUS" = 200 ] || [ "$STATUS" = 201 ] || { differs "posting: $(answer)" && return; }
  eventually shows_external && ok || differs 'the merge request shows no pipeline of the source "external"'
}

point_25() {
  need_own_merge_request || return
  local step state expected
  for step in pending:2 pending:4 running:2 running:4 pending:4 skipped:4 success:2 success:2 failed:2 canceled:2 skipped:2; do
    state=${step%:*} expected=${step#*:}
    post_status "$PREFIX / states" "$state"
    if [ "$expected" = 2 ]; then
      [[ $STATUS == 20[01] ]] && is --arg state "$state" '.status == $state' || { differs "$state after the one before: $(answer)" && return; }
    elif [ "$STATUS" != 400 ] || ! is '.message | tostring | contains("Cannot transition status")'; then
      differs "$state after the one before was to be refused: $(answer)" && return
    fi
  done
  api GET "projects/$FORK/repository/commits/$OWN_HEAD/statuses?per_page=100"
  is --arg name "$PREFIX / states" --argjson me "$ME" '[.[] | select(.name == $name)] | length == 1 and .[0].status == "skipped" and .[0].author.id == $me' &&
    ok || differs 'the list does not hold just the newest of that name'
}

point_26() {
  need_triggered || return
  local job commit
  commit=$(head -c 100 "$WORK/branch-trigger")
  api GET "projects/$FORK/pipelines/$TRIGGERED/jobs?per_page=100"
  job=$(get '.[0].name | strings') && [ -n "$job" ] || { skipped "the pipeline has no job: $(answer)" && return; }
  body --arg name "$job" --argjson pipeline "$TRIGGERED" '{name: $name, state: "success", pipeline_id: $pipeline}'
  api POST "projects/$FORK/statuses/$commit"
  [ "$STATUS" = 400 ] && ok "$(answer)" || differs "$(answer)"
}
