# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# Points 1 to 8 and 44, which only read.

point_1() {
  need_project || return
  api GET user
  is '(.id | type == "number") and (.username | type == "string")' || { differs "the user has neither number nor name: $(answer)" && return; }
  local mail='no address for commits is told'
  is '.commit_email // .email | type == "string"' && mail='an address for commits is told'
  api GET personal_access_tokens/self
  if [ "$STATUS" = 200 ] && is 'has("expires_at")'; then
    ok "it expires on $(get '.expires_at'); $mail"
  else
    differs "the token does not tell when it expires: $(answer)"
  fi
}

point_2() {
  need_project || return
  api GET "projects/$TARGET/merge_requests?state=all&per_page=1"
  local moment next
  moment=$(header date) || { differs 'the answer has no header Date' && return; }
  next=$(header x-next-page) || { differs 'the list has no header X-Next-Page' && return; }
  [[ $next =~ ^[0-9]*$ ]] || { differs "X-Next-Page is \"$next\"" && return; }
  [[ $moment =~ ^[A-Z][a-z][a-z],\ [0-9]{2}\ [A-Z][a-z][a-z]\ [0-9]{4}\  ]] || { differs "Date is \"$moment\"" && return; }
  local limits
  limits=$(header ratelimit-limit) && limits="RateLimit-Limit is $limits" || limits='there are no RateLimit headers'
  ok "$limits, which the program does not read"
}

point_3() {
  need_project || return
  api GET "projects/$TARGET/repository/branches/$NAME"
  [ "$STATUS" = 404 ] && is '.message | contains("Branch Not Found")' || { differs "for a branch: $(answer)" && return; }
  api GET "projects/$TARGET/repository/commits/0000000000000000000000000000000000000001/refs?type=all"
  [ "$STATUS" = 404 ] && is '.message | contains("Commit Not Found")' || { differs "for the refs of a commit: $(answer)" && return; }
  ok
}

point_4() {
  need_project || return
  api HEAD "projects/$TARGET/repository/files/$NAME?ref=$(part "$BASE_BRANCH")"
  [ "$STATUS" = 404 ] || { differs "for a file that is not there: GitLab answered ${STATUS:-nothing}" && return; }
  api GET "projects/$TARGET/repository/tree?per_page=100&ref=$(part "$BASE_BRANCH")"
  local file
  file=$(get '[.[] | select(.type == "blob")][0].path | strings') && [ -n "$file" ] || { skipped 'the project has no file at its top' && return; }
  api HEAD "projects/$TARGET/repository/files/$(part "$file")?ref=$(part "$BASE_BRANCH")"
  [ "$STATUS" = 200 ] && ok || differs "for a file that is there: GitLab answered ${STATUS:-nothing}"
}

point_5() {
  need_project || return
  api GET "projects/$TARGET/members/all/$ME"
  case $STATUS in
    200) local level && level=$(get '.access_level | numbers') ;;
    404) local level=0 ;;
    *) differs "$(answer)" && return ;;
  esac
  [ "$level" = "$ROLE" ] && ok "the token's user has role $level" || differs "the list of members says role $level, the project $ROLE"
}

# The queries are those of src/forge/graphql.rs, word for word.
readonly OF_GROUP='query($group: ID!, $after: String) { group(fullPath: $group) { mergeRequests(state: opened, includeSubgroups: true, first: 100, after: $after) { nodes { iid project { fullPath } headPipeline { id status updatedAt } } pageInfo { hasNextPage endCursor } } } }'
readonly OF_MYSELF='query($after: String) { currentUser { authoredMergeRequests(state: opened, first: 100, after: $after) { nodes { iid project { fullPath } headPipeline { id status updatedAt } } pageInfo { hasNextPage endCursor } } } }'
readonly TIPS='query($paths: [String!], $branch: String) { projects(fullPaths: $paths) { nodes { fullPath repository { tree(ref: $branch) { lastCommit { sha } } } } } }'

point_6() {
  need_project || return
  body --arg query "$OF_GROUP" --arg group "${PROJECT%/*}" '{query: $query, variables: {group: $group, after: null}}'
  api QUERY graphql
  [ "$STATUS" = 200 ] && is '(.errors // []) == []' || { differs "of a group: $(graphql_answer)" && return; }
  is '.data.group == null or (.data.group.mergeRequests.nodes | type == "array")' || { differs 'of a group: the answer holds no list' && return; }
  local note='' && is '.data.group == null' && note="${PROJECT%/*} is no group that the token sees, so only the form is confirmed"
  body --arg query "$OF_MYSELF" '{query: $query, variables: {after: null}}'
  api QUERY graphql
  [ "$STATUS" = 200 ] && is '(.errors // []) == [] and (.data.currentUser.authoredMergeRequests.nodes | type == "array")' ||
    { differs "of the token's user: $(graphql_answer)" && return; }
  ok "$note"
}

graphql_answer() {
  local text
  text=$(get '[.errors[]?.message? | strings] | join("; ")')
  printf 'GitLab answered %s%s' "${STATUS:-nothing}" "${text:+, $text}"
}

point_7() {
  need_project || return
  local tip
  api GET "projects/$TARGET/repository/branches/$(part "$BASE_BRANCH")"
  tip=$(get '.commit.id | strings')
  body --arg query "$TIPS" --arg path "$PROJECT" --arg branch "$BASE_BRANCH" '{query: $query, variables: {paths: [$path], branch: $branch}}'
  api QUERY graphql
  [ "$STATUS" = 200 ] && is '(.errors // []) == []' || { differs "$(graphql_answer)" && return; }
  is --arg path "$PROJECT" --arg tip "$tip" '.data.projects.nodes | length == 1 and .[0].fullPath == $path and .[0].repository.tree.lastCommit.sha == $tip' &&
    ok || differs "it tells $(get '.data.projects.nodes[0].repository.tree.lastCommit.sha'), and the branch is at $tip"
}

point_8() {
  need_project || return
  api GET "groups/$(part "${PROJECT%/*}")/merge_requests?state=opened&scope=all&order_by=created_at&sort=asc&per_page=1"
  case $STATUS in
    200) is 'type == "array"' || { differs 'of a group: the answer is no list' && return; } ;;
    404) skipped "${PROJECT%/*} is no group that the token sees" && return ;;
    *) differs "of a group: $(answer)" && return ;;
  esac
  api GET "merge_requests?state=closed&scope=all&order_by=created_at&sort=asc&author_id=$ME&updated_after=2020-01-01T00:00:00Z&updated_before=2100-01-01T00:00:00Z&per_page=1"
  [ "$STATUS" = 200 ] && is 'type == "array"' && ok || differs "of an author: $(answer)"
}

# The newest merge requests of the project may have had such a pipeline: with Premium, and where the project wants it.
point_44() {
  need_project || return
  local iid commit heads
  api GET "projects/$TARGET/merge_requests?state=all&order_by=updated_at&sort=desc&per_page=10"
  for iid in $(get '.[].iid | numbers'); do
    api GET "projects/$TARGET/merge_requests/$iid/pipelines?per_page=20"
    commit=$(get '[.[] | select(.ref | test("^refs/merge-requests/[0-9]+/merge$"))][0].sha | strings')
    [[ $commit =~ ^[0-9a-f]{40}$ ]] || continue
    api GET "projects/$TARGET/merge_requests/$iid/versions?per_page=100"
    heads=$(get -c 'map(.head_commit_sha)')
    api GET "projects/$TARGET/repository/commits/$commit"
    [ "$STATUS" = 200 ] || { differs "the commit of a pipeline of !$iid: $(answer)" && return; }
    is --argjson heads "$heads" '[.parent_ids[] | . as $parent | select($heads | index($parent) != null)] | length > 0' &&
      ok "seen at !$iid" || differs "the commit of a pipeline of !$iid has none of its heads for a parent"
    return
  done
  skipped 'none of the ten newest merge requests has a pipeline of merged results'
}
