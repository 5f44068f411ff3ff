# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# Points 9 to 21: the fork, what git does with it, and merge requests.

point_9() {
  need_fork || { [[ $SEEN == 'there is no fork'* ]] && differs "$SEEN"; return; }
  api GET "projects/$FORK"
  is --argjson target "$TARGET" '.forked_from_project.id == $target' || { differs 'the fork does not name its original' && return; }
  is '.import_status == "failed"' && differs "it could not be filled: $(get '.import_error | tostring')" && return
  local told='does not tell' && is '.forked_from_project.visibility | type == "string"' && told=tells
  ok "at first it was \"$FORK_STATE\"; the fork $told who may see its original"
}

point_10() {
  need_fork || return
  body --arg into "${INTO:-$MY_NAME}" --arg name "$NAME" '{namespace_path: $into, path: $name, name: $name}'
  api POST "projects/$TARGET/fork"
  [ "$STATUS" = 409 ] && ok || differs "$(answer)"
}

point_11() {
  need_fork || return
  api GET "projects/$FORK"
  is '.ci_push_repository_for_job_token_allowed != true' || { differs 'its jobs may push to it with their token' && return; }
  api GET "projects/$FORK/job_token_scope"
  [ "$STATUS" = 200 ] || { skipped "which job tokens it lets in cannot be read: $(answer)" && return; }
  is '.inbound_enabled == true' && ok || differs 'the job token of any project gets in'
}

point_12() {
  need_base || { [[ $SEEN == 'the project cannot be fetched'* ]] && differs "$SEEN"; return; }
  local missing blob
  missing=$(git_ rev-list --objects --missing=print -n 1 refs/live-check/base)
  blob=${missing#*$'\n'\?} && [[ $missing == *$'\n?'* ]] || { differs 'the filter blob:none was not heeded: content came along' && return; }
  blob=${blob%%$'\n'*}
  [[ $blob =~ ^[0-9a-f]{40}$ ]] || { differs 'git tells no missing content' && return; }
  printf '%s\n' "$blob" | git_ -c fetch.negotiationAlgorithm=noop fetch --quiet --no-tags --filter=blob:none --stdin target ||
    { differs "content by its id: $(git_said)" && return; }
  ok
}

point_13() {
  need_base || return
  local branch=$NAME-lease first second
  git_ fetch --quiet --no-tags --depth=1 --no-filter fork "+refs/heads/$BASE_BRANCH:refs/live-check/tip" ||
    { skipped "the fork cannot be fetched: $(git_said)" && return; }
  printf 'one\n' >"$WORK/one" && printf 'two\n' >"$WORK/two"
  first=$(commit_with refs/live-check/tip "$PREFIX: one" "$PREFIX.txt" "$WORK/one") && second=$(commit_with refs/live-check/tip "$PREFIX: two" "$PREFIX.txt" "$WORK/two") ||
    { skipped "$(git_said)" && return; }
  push_to "$first" "$branch" '' || { differs "from a shallow store: $(git_said)" && return; }
  if push_to "$second" "$branch" "$second"; then
    differs 'a stale lease was let through' && return
  fi
  [[ "$(head -c 4000 "$WORK/pushed" "$WORK/git-said")" == *'stale info'* ]] || { differs "of a stale lease: $(git_said)" && return; }
  push_to "$second" "$branch" "$first" && ok || differs "with a good lease: $(git_said)"
}

point_14() {
  need_merge_request || { [[ $SEEN == 'no merge request'* ]] && differs "$SEEN"; return; }
  eventually has_head "$TARGET" "$IID" "$HEAD" || { differs "its head is \"$(get '.sha')\" after $WAIT s, and not what was pushed" && return; }
  is --argjson target "$TARGET" --argjson fork "$FORK" --arg full "$PROJECT!$IID" \
    '.target_project_id == $target and .source_project_id == $fork and .references.full == $full and .draft == true' &&
    ok "it is $PROJECT!$IID" || differs "$(get '{target_project_id, source_project_id, references, draft} | tostring')"
}

point_15() {
  need_merge_request || return
  body --arg branch "$NAME-mr" --arg target "$BASE_BRANCH" --argjson project "$TARGET" --arg title "$PREFIX: second" \
    '{source_branch: $branch, target_branch: $target, target_project_id: $project, title: $title}'
  api POST "projects/$FORK/merge_requests"
  [ "$STATUS" = 409 ] && ok || differs "$(answer)"
}

point_16() {
  need_merge_request || return
  eventually has_head "$TARGET" "$IID" "$HEAD" || { skipped 'GitLab did not prepare the merge request' && return; }
  git_ fetch --quiet --no-tags --depth=1 --filter=blob:none target "+refs/merge-requests/$IID/head:refs/live-check/head" ||
    { differs "$(git_said)" && return; }
  [ "$(git_ rev-parse refs/live-check/head)" = "$HEAD" ] && ok || differs 'it is another commit than the head of the branch'
}

has_versions() {
  api GET "projects/$TARGET/merge_requests/$IID/versions?per_page=100" && [ "$STATUS" = 200 ] &&
    is --arg first "$1" --arg second "$2" 'map(.head_commit_sha) | index($first) != null and index($second) != null'
}
point_17() {
  need_merge_request || return
  eventually has_head "$TARGET" "$IID" "$HEAD" || { skipped 'GitLab did not prepare the merge request' && return; }
  local before=$HEAD after
  printf 'again\n' >"$WORK/again"
  after=$(commit_with "$before" "$PREFIX: more" "$PREFIX.txt" "$WORK/again") && push_to "$after" "$NAME-mr" "$before" ||
    { skipped "no branch could be pushed to the fork: $(git_said)" && return; }
  HEAD=$after PIPELINE=''
  eventually has_versions "$before" "$after" || { differs 'the versions do not tell both heads' && return; }
  is --arg head "$after" '.[0].head_commit_sha == $head' && ok || differs 'the newest version is not the first of the list'
}

point_18() {
  need_merge_request || return
  local note path=projects/$TARGET/merge_requests/$IID/notes
  body --arg text "$PREFIX: a note" '{body: $text}'
  api POST "$path"
  note=$(get '.id | select(type == "number")')
  [ "$STATUS" = 201 ] && [[ $note =~ ^[0-9]+$ ]] || { differs "writing: $(answer)" && return; }
  body --arg text "$PREFIX: the same note <!-- {\"hidden\": true} -->" '{body: $text}'
  api PUT "$path/$note"
  [ "$STATUS" = 200 ] && is --argjson note "$note" '.id == $note and .system == false' || { differs "editing: $(answer)" && return; }
  api GET "$path/$note"
  [ "$STATUS" = 200 ] && is --argjson me "$ME" '.author.id == $me and (.body | contains("<!-- {\"hidden\": true} -->"))' ||
    { differs "what is hidden in it does not come back: $(answer)" && return; }
  api DELETE "$path/$note"
  [ "$STATUS" = 204 ] && ok || differs "removing: $(answer)"
}

point_19() {
  need_merge_request || return
  local note path=projects/$TARGET/merge_requests/$IID/notes
  body --arg text "$PREFIX: to react to" '{body: $text}'
  api POST "$path"
  note=$(get '.id | select(type == "number")')
  [ "$STATUS" = 201 ] && [[ $note =~ ^[0-9]+$ ]] || { skipped "no note could be written: $(answer)" && return; }
  local name given award='' other=''
  for name in eyes white_check_mark no_entry_sign question x; do
    body --arg name "$name" '{name: $name}'
    api POST "$path/$note/award_emoji"
    [ "$STATUS" = 201 ] || { differs "reacting with $name: $(answer)" && return; }
    given=$(get '.name | strings') && [ "$given" = "$name" ] || other+=" $name is $given"
    [ -n "$award" ] || award=$(get '.id | select(type == "number")')
  done
  body '{name: "eyes"}'
  api POST "$path/$note/award_emoji"
  [ "$STATUS" = 404 ] || { differs "reacting with the same: $(answer)" && return; }
  api GET "$path/$note/award_emoji?per_page=100"
  is --argjson me "$ME" 'length == 5 and all(.[]; .user.id == $me)' || { differs "the list of reactions: $(answer)" && return; }
  api DELETE "$path/$note/award_emoji/$award"
  [ "$STATUS" = 204 ] && ok "${other:+names differ:$other}" || differs "taking it back: $(answer)"
}

point_20() {
  need_own_merge_request || return
  local text=$'/ close\n\n> / title changed\n\n@ all # 1 ! 1'
  body --arg text "$text" '{body: $text}'
  api POST "projects/$FORK/merge_requests/$OWN_IID/notes"
  [ "$STATUS" = 201 ] && is --arg text "$text" '.body == $text' || { differs "it does not stay as it was written: $(answer)" && return; }
  api GET "projects/$FORK/merge_requests/$OWN_IID"
  is --arg title "$PREFIX: own" '.state == "opened" and .title == $title' && ok || differs "the merge request is now $(get '.state'), \"$(get '.title')\""
}

point_21() {
  need_own_merge_request || return
  body '{state_event: "close"}'
  api PUT "projects/$FORK/merge_requests/$OWN_IID"
  [ "$STATUS" = 200 ] && is '.state == "closed"' || { differs "closing: $(answer)" && return; }
  api GET "projects/$FORK/merge_requests/$OWN_IID"
  is --argjson me "$ME" '.closed_by.id == $me' || { differs "closed_by is $(get '.closed_by | tostring')" && return; }
  body '{state_event: "reopen"}'
  api PUT "projects/$FORK/merge_requests/$OWN_IID"
  [ "$STATUS" = 200 ] && is '.state == "opened"' && ok || differs "reopening: $(answer)"
}
