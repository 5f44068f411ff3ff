# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# Removing what was made.

left() {
  LEFT=yes
  printf '\nleft behind: %s\n' "$(shown "$1")"
}

fork_is_gone() { api GET "projects/$FORK" && { [ "$STATUS" = 404 ] || is '.marked_for_deletion_at // .marked_for_deletion_on // empty'; }; }

# Closes and removes what was made, found by name and not by what this script remembers: it may have been interrupted between
# asking and hearing.
clean_up() {
  trap '' INT TERM HUP
  trap - EXIT
  exec >&3
  ACCESS=with-token
  local known note
  if [ "$WRITES" = yes ] && [ -n "$TARGET" ] && [ -n "$FORK_PATH" ]; then
    api GET "projects/$TARGET/merge_requests?state=opened&scope=all&source_branch=$NAME-mr&author_id=$ME"
    if [ "$STATUS" != 200 ]; then
      left "perhaps a merge request from the branch $NAME-mr in $PROJECT: $(answer)"
    else
      for known in $(get '.[].iid | numbers'); do IID=$known; done
    fi
    if [ -n "$IID" ]; then
      api GET "projects/$TARGET/merge_requests/$IID/notes?per_page=100"
      for note in $(get --argjson me "$ME" --arg prefix "$PREFIX" '.[] | select(.system == false and .author.id == $me and (.body | startswith($prefix))) | .id | numbers'); do
        api DELETE "projects/$TARGET/merge_requests/$IID/notes/$note"
      done
      body '{state_event: "close"}'
      api PUT "projects/$TARGET/merge_requests/$IID"
      [ "$STATUS" = 200 ] && is '.state == "closed"' || left "the merge request $PROJECT!$IID: $(answer)"
    fi
    local looks
    for looks in 1 2 3; do
      api GET "projects/$(part "$FORK_PATH")"
      [ "$STATUS" != 200 ] || break
      [ -z "$FORK" ] && pause 2
    done
    # Nothing else is ever deleted: of this name, made by this user.
    if [ "$STATUS" = 200 ] && is --arg path "$FORK_PATH" --argjson me "$ME" --argjson target "$TARGET" \
      '.path_with_namespace == $path and .creator_id == $me and .forked_from_project.id == $target' && [[ ${FORK_PATH##*/} == "$PREFIX"-* ]]; then
      FORK=$(get '.id | select(type == "number")')
      api DELETE "projects/$FORK"
      if ! eventually fork_is_gone; then
        left "the project $FORK_PATH: $(answer)"
      elif [ "$STATUS" = 200 ]; then
        # Marked only: once more, for good, where that is allowed.
        known=$(get '.path_with_namespace | strings')
        api DELETE "projects/$FORK?permanently_remove=true&full_path=$(part "$known")"
        [[ $STATUS == 20[024] ]] || printf '\n%s goes on the day that GitLab has set for it.\n' "$(shown "$known")"
      fi
    elif [ "$STATUS" != 404 ]; then
      left "perhaps the project $FORK_PATH: $(answer)"
    fi
  fi
  rm -rf "$WORK"
}

stop() {
  exec >&3
  printf '\ninterrupted: removing what was made\n'
  clean_up
  exit 1
}
