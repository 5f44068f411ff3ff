# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# git in a bare store, for what has to be pushed and fetched.

# git in a bare store, with nobody's configuration, that knows the project as `target` and the fork as `fork`.
git_() {
  local -x GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=http.extraHeader GIT_CONFIG_VALUE_0="Authorization: Basic $LOGIN"
  local -x GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0 GIT_DIR=$WORK/store
  local -x GIT_AUTHOR_NAME=$PREFIX GIT_COMMITTER_NAME=$PREFIX GIT_AUTHOR_EMAIL=$MY_MAIL GIT_COMMITTER_EMAIL=$MY_MAIL
  local -a options=(-c "remote.target.url=$GITLAB/$PROJECT.git" -c "remote.fork.url=$GITLAB/$FORK_PATH.git" -c credential.helper=
    -c http.followRedirects=false -c http.lowSpeedLimit=1 -c http.lowSpeedTime=90
    -c remote.target.promisor=true -c remote.target.partialCloneFilter=blob:none)
  [ -z "$CA_FILE" ] || options+=(-c "http.sslCAInfo=$CA_FILE")
  git "${options[@]}" "$@" 2>"$WORK/git-said"
}

git_said() {
  local text
  text=$(head -c 4000 "$WORK/git-said")
  printf 'git: %s' "${text//$'\n'/ }"
}

# Makes a commit on PARENT with files: PARENT MESSAGE [PATH FILE]...
commit_with() {
  local parent=$1 message=$2 blob tree
  shift 2
  local -x GIT_INDEX_FILE=$WORK/index
  rm -f "$GIT_INDEX_FILE"
  git_ read-tree "$parent" || return 1
  while [ $# -ge 2 ]; do
    blob=$(git_ hash-object -w --no-filters -- "$2") || return 1
    git_ update-index --add --cacheinfo "100644,$blob,$1" || return 1
    shift 2
  done
  tree=$(git_ write-tree --missing-ok) || return 1
  printf '%s\n' "$message" | git_ commit-tree -p "$parent" "$tree"
}

# Pushes COMMIT to the branch of that NAME in the fork, which has to be at LEASE (empty: not there).
push_to() {
  git_ push --quiet --porcelain --no-verify "--force-with-lease=refs/heads/$2:$3" fork "$1:refs/heads/$2" >"$WORK/pushed"
}
