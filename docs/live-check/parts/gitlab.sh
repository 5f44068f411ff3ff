# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# Talking to GitLab, and showing what it says.

# Text from outside, fit to be shown: no secret, nothing that acts on a terminal, one short line.
shown() {
  local text=$1 secret
  for secret in "${SECRETS[@]}"; do text=${text//"$secret"/[MASKED]}; done
  text=${text//[^[:print:]]/ }
  [ ${#text} -le 300 ] || text=${text:0:300}...
  printf '%s' "$text"
}

ok() { RESULT=ok SEEN=${1-}; }
differs() { RESULT=differs SEEN=$1; }
skipped() { RESULT=skipped SEEN=$1; }

# The last answer in few words.
answer() {
  local text
  text=$(jq -r '[.message?, .error?, .error_description?] | map(select(. != null) | tostring) | join("; ")' <"$BODY" 2>/dev/null)
  [ -n "$STATUS" ] || text=$(head -c 1000 "$WORK/curl-said")
  printf 'GitLab answered %s%s' "${STATUS:-nothing}" "${text:+, $text}"
}

# --- GitLab's API ----------------------------------------------------------------------------------------------------------

# Whether a request may be sent: writes go to the fork, and in the project to our merge request alone.
may_write() {
  case $1 in
    "projects/$TARGET/fork") return 0 ;;
    projects/*)
      [ -n "$FORK" ] && case $1 in "projects/$FORK" | "projects/$FORK/"* | "projects/$FORK?"*) return 0 ;; esac
      [ -n "$IID" ] && case $1 in "projects/$TARGET/merge_requests/$IID" | "projects/$TARGET/merge_requests/$IID/"*) return 0 ;; esac
      [ -n "$PIPELINE" ] && case $1 in "projects/$TARGET/statuses/$HEAD") return 0 ;; esac
      ;;
  esac
  return 1
}

# Sends a request: METHOD PATH. A body, JSON, is in the file $SENT for all but GET, HEAD and DELETE. The answer is then in
# $STATUS, $BODY and $HEADERS; the status is empty where there was none. ACCESS says with which credentials.
ACCESS=with-token
api() {
  local method=$1 path=$2 line url=$API/$2
  local -a options=(-q --silent --show-error --config "$WORK/$ACCESS" --globoff --suppress-connect-headers --proto '=http,https' --max-time 90 --connect-timeout 15
    --max-filesize "$LIMIT" --dump-header "$HEADERS" --header 'Expect:')
  [ -z "$CA_FILE" ] || options+=(--cacert "$CA_FILE")
  case $method in
    GET) ;;
    HEAD) options+=(--head) ;;
    QUERY) url=$GITLAB/api/graphql && options+=(--header 'Content-Type: application/json' --data-binary "@$SENT") ;;
    *)
      if [ "$WRITES" != yes ] || ! may_write "$path"; then
        printf 'run: %s %s is refused: it is not ours to write\n' "$method" "$path" >&2
        STATUS='' && return 1
      fi
      options+=(--request "$method")
      [ "$method" = DELETE ] || options+=(--header 'Content-Type: application/json' --data-binary "@$SENT")
      ;;
  esac
  : >"$HEADERS"
  STATUS=''
  curl "${options[@]}" --url "$url" 2>"$WORK/curl-said" | head -c "$LIMIT" >"$BODY"
  while IFS= read -r line; do
    [[ $line =~ ^HTTP/[0-9.]+\ ([0-9]{3}) ]] && STATUS=${BASH_REMATCH[1]}
  done <"$HEADERS"
  [ -n "$STATUS" ]
}

get() { jq -r "$@" <"$BODY" 2>/dev/null; }
is() { jq -e "$@" <"$BODY" >/dev/null 2>&1; }
body() { jq -cn "$@" >"$SENT"; }
part() { jq -rn --arg text "$1" '$text | @uri'; }

# A header of the last answer by its name in lower case; fails where it is not there.
header() {
  local line name
  while IFS= read -r line; do
    name=${line%%:*}
    if [ "${name,,}" = "$1" ] && [ "$name" != "$line" ]; then
      line=${line#*:} line=${line//$'\r'/}
      printf '%s' "${line# }" && return 0
    fi
  done <"$HEADERS"
  return 1
}

pause() { [ -n "${SGB_TEST_NO_PAUSES-}" ] || sleep "$1"; }

# Repeats a command until it succeeds, for as long as --wait says.
eventually() {
  local end=$((SECONDS + WAIT)) tries=0
  until "$@"; do
    tries=$((tries + 1))
    [ "$SECONDS" -lt "$end" ] || return 1
    [ -z "${SGB_TEST_NO_PAUSES-}" ] || [ "$tries" -lt 20 ] || return 1
    pause 2
  done
}
