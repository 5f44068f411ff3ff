//! What `reconcile` remembers from run to run: which merge requests it checked, and what they looked like when there
//! was nothing to do. As long as everything that lists show of a merge request stays the same, another check would find
//! the same.
//!
//! The cache only saves time. A merge request whose entry is lost, broken or not understood is checked again. Each one
//! is checked again after a while anyway, because no list shows everything: a project's visibility, a new tag.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::pair::fingerprint::FnvHash;
use crate::pair::sanitize;

/// The most entries without trouble. Each takes about 50 bytes: they fit into one note with room to spare.
const MOST: usize = 12_000;

/// The most reasons that are kept of merge requests that cannot be synced. Their notes say the reason too.
const MOST_REASONS: usize = 200;

/// The longest serialized form, in bytes. GitLab accepts notes of a million characters.
const LONGEST: usize = 950_000;

/// The size of a serialized entry in bytes, without and with a trouble, but not counting the texts of the trouble.
const QUIET: usize = 55;
const TROUBLED: usize = 110;

/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 400;

/// How long a check without trouble is valid, in hours: the minimum, and the number of different validities, so that
/// not all merge requests are due in the same run. That is 18 to 30 hours.
const VALID: (u32, u64) = (18, 13);

/// The same for a check that found trouble: 2 to 3 hours. No list may show that the trouble is gone: somebody pushed a
/// tag, or made a project public.
const VALID_WITH_TROUBLE: (u32, u64) = (2, 2);

/// A time in hours since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixHour(pub u32);

impl UnixHour {
    /// Stands for a time that never was.
    pub const NEVER: Self = Self(0);

    pub fn of(time: DateTime<Utc>) -> Self {
        Self(u32::try_from(time.timestamp() / 3600).unwrap_or_default())
    }
}

/// Identifies a merge request from run to run, even if it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CacheKey(FnvHash);

impl CacheKey {
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(FnvHash::of_parts(names))
    }

    /// Maps the key to a number below `limit`, always the same one: for dividing work.
    pub const fn share(self, limit: u64) -> u64 {
        self.0.below(limit)
    }
}

/// Stands for everything that was seen of a merge request and its pair.
///
/// It shows whether something changed. It does not protect against forgery: whoever forged it would only make their
/// own merge request wait for a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PairFingerprint(FnvHash);

impl PairFingerprint {
    /// Returns the fingerprint of these texts in this order.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        Self(FnvHash::of_parts(parts))
    }
}

/// What is known of a merge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEntry {
    /// When it was last checked; [`UnixHour::NEVER`] if that was with other settings, or a full check failed.
    pub checked: UnixHour,
    /// Its fingerprint at that time; `None` if it has to be checked again.
    pub fingerprint: Option<PairFingerprint>,
    pub trouble: Option<PairTrouble>,
}

/// What keeps a merge request from being brought up to date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairTrouble {
    /// The merge request, as `group/project!7`; or the group, if the trouble is about everything in it.
    #[serde(rename = "m")]
    pub merge_request: String,
    #[serde(rename = "k")]
    pub kind: TroubleKind,
    /// The reason, for people. It may quote anybody.
    #[serde(rename = "w")]
    pub why: String,
    /// The number of runs in a row that found it.
    #[serde(rename = "n", default)]
    pub times: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TroubleKind {
    /// The merge request cannot be synced. Its author has to fix it, and its note says so.
    Refused,
    /// dist-git has no project or no branch for it.
    NoDistGit,
    /// Something failed.
    Failed,
}

impl TroubleKind {
    /// Orders the kinds: the most urgent first.
    const fn rank(self) -> u8 {
        match self {
            Self::Failed => 0,
            Self::NoDistGit => 1,
            Self::Refused => 2,
        }
    }
}

impl CacheEntry {
    /// Returns an upper bound of its serialized size in bytes.
    fn bytes(&self) -> usize {
        let Some(trouble) = &self.trouble else { return QUIET };
        let texts = [&trouble.merge_request, &trouble.why];
        let dashes: usize = texts.iter().map(|text| text.matches("--").count().saturating_mul(5)).sum();
        let escaped = texts.iter().flat_map(|text| text.bytes()).map(|byte| match byte {
            b'<' | b'>' | ..=0x1f => 6,
            b'"' | b'\\' => 2,
            _ => 1,
        });
        escaped.fold(TROUBLED.saturating_add(dashes), usize::saturating_add)
    }
}

/// What is known of all merge requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<StoredEntry>", into = "Vec<StoredEntry>")]
pub struct Cache(BTreeMap<CacheKey, CacheEntry>);

/// The serialized form of an entry. It is short, because there are many.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredEntry {
    Troubled(CacheKey, Option<PairFingerprint>, UnixHour, PairTrouble),
    Quiet(CacheKey, Option<PairFingerprint>, UnixHour),
}

impl From<Vec<StoredEntry>> for Cache {
    fn from(entries: Vec<StoredEntry>) -> Self {
        let entries = entries.into_iter().map(|entry| match entry {
            StoredEntry::Troubled(key, fingerprint, checked, trouble) => {
                (key, CacheEntry { checked, fingerprint, trouble: Some(trouble) })
            }
            StoredEntry::Quiet(key, fingerprint, checked) => (key, CacheEntry { checked, fingerprint, trouble: None }),
        });
        Self(entries.collect())
    }
}

impl From<Cache> for Vec<StoredEntry> {
    fn from(cache: Cache) -> Self {
        let stored = |(key, entry)| match entry {
            CacheEntry { checked, fingerprint, trouble: Some(trouble) } => {
                StoredEntry::Troubled(key, fingerprint, checked, trouble)
            }
            CacheEntry { checked, fingerprint, trouble: None } => StoredEntry::Quiet(key, fingerprint, checked),
        };
        cache.0.into_iter().map(stored).collect()
    }
}

impl Cache {
    /// Whether a merge request with this fingerprint needs no check.
    pub fn is_settled(&self, key: CacheKey, fingerprint: PairFingerprint, now: UnixHour) -> bool {
        let Some(entry) = self.0.get(&key) else { return false };
        let (least, spread) = if entry.trouble.is_some() { VALID_WITH_TROUBLE } else { VALID };
        let valid = u64::from(least).saturating_add(key.share(spread));
        let since = u64::from(now.0.saturating_sub(entry.checked.0));
        // A clock that was set back must not keep an entry valid for longer.
        entry.fingerprint == Some(fingerprint) && entry.checked <= now && since < valid
    }

    /// Whether a merge request needs the same check as one that is new.
    ///
    /// That is so if it was never checked. It is also so if it looks unchanged and only its last check is no longer
    /// valid: then the check is for what no list shows.
    pub fn needs_full_check(&self, key: CacheKey, fingerprint: Option<PairFingerprint>) -> bool {
        let Some(entry) = self.0.get(&key) else { return true };
        entry.checked == UnixHour::NEVER || (fingerprint.is_some() && entry.fingerprint == fingerprint)
    }

    /// Makes everything due for a full check. Troubles stay.
    pub fn forget_checks(&mut self) {
        for entry in self.0.values_mut() {
            (entry.checked, entry.fingerprint) = (UnixHour::NEVER, None);
        }
    }

    pub fn get(&self, key: CacheKey) -> Option<&CacheEntry> {
        self.0.get(&key)
    }

    /// Records the result of a check. A trouble of the same kind as before counts one more time.
    pub fn record(&mut self, key: CacheKey, mut entry: CacheEntry) {
        if let Some(trouble) = &mut entry.trouble {
            let before = self.0.get(&key).and_then(|entry| entry.trouble.as_ref());
            let before = before.filter(|before| before.kind == trouble.kind);
            trouble.times = before.map_or(0, |before| before.times).saturating_add(1);
            trouble.why = sanitize::cut(&trouble.why, LONGEST_REASON);
        }
        self.0.insert(key, entry);
    }

    /// Keeps the entries of `keys` and those for which `also` holds, as many as fit into a note. Returns how many
    /// entries of other keys were kept before the rest was dropped for size.
    pub fn retain(&mut self, keys: impl IntoIterator<Item = CacheKey>, also: impl Fn(&CacheEntry) -> bool) -> usize {
        let keys: BTreeSet<_> = keys.into_iter().collect();
        self.0.retain(|key, entry| keys.contains(key) || also(entry));
        let rest = self.0.keys().filter(|key| !keys.contains(key)).count();
        self.shorten();
        rest
    }

    /// Drops what does not fit into a note: first reasons, then entries without trouble. Failures go last, because the
    /// bot calls for a person when a failure repeats.
    fn shorten(&mut self) {
        let (mut troubled, quiet): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.0).into_iter().partition(|(_, entry)| entry.trouble.is_some());
        let order = |entry: &CacheEntry| {
            let trouble = entry.trouble.as_ref();
            trouble.map(|trouble| (trouble.kind.rank(), trouble.merge_request.clone()))
        };
        troubled.sort_by_cached_key(|(_, entry)| order(entry));
        let mut forget_reasons = |of: &[TroubleKind]| {
            let troubles = troubled.iter_mut().filter_map(|(_, entry)| entry.trouble.as_mut());
            for trouble in troubles.filter(|trouble| of.contains(&trouble.kind)).skip(MOST_REASONS) {
                trouble.why.clear();
            }
            troubled.iter().map(|(_, entry)| entry.bytes()).sum::<usize>()
        };
        if forget_reasons(&[TroubleKind::Refused]) > LONGEST {
            forget_reasons(&[TroubleKind::Failed, TroubleKind::NoDistGit, TroubleKind::Refused]);
        }
        let mut bytes = 0_usize;
        let all = troubled.into_iter().chain(quiet.into_iter().take(MOST));
        let fitting = all.take_while(|(_, entry)| {
            bytes = bytes.saturating_add(entry.bytes());
            bytes <= LONGEST
        });
        self.0 = fitting.collect();
    }

    /// Returns all troubles, sorted by the name of the merge request.
    pub fn troubles(&self) -> Vec<&PairTrouble> {
        let mut troubles: Vec<_> = self.0.values().filter_map(|entry| entry.trouble.as_ref()).collect();
        troubles.sort_by(|one, other| one.merge_request.cmp(&other.merge_request));
        troubles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> CacheKey {
        CacheKey::of([name])
    }

    fn quiet(fingerprint: &str, hour: u32) -> CacheEntry {
        CacheEntry { checked: UnixHour(hour), fingerprint: Some(PairFingerprint::of([fingerprint])), trouble: None }
    }

    fn troubled(kind: TroubleKind, fingerprint: Option<&str>, hour: u32) -> CacheEntry {
        let trouble = PairTrouble { merge_request: "src/a!1".to_owned(), kind, why: "x".repeat(500), times: 0 };
        CacheEntry {
            checked: UnixHour(hour),
            fingerprint: fingerprint.map(|fingerprint| PairFingerprint::of([fingerprint])),
            trouble: Some(trouble),
        }
    }

    #[test]
    fn an_unchanged_merge_request_needs_no_check_for_about_a_day() {
        let mut cache = Cache::default();
        cache.record(key("a"), quiet("seen", 1000));
        let settled =
            |fingerprint: &str, hour| cache.is_settled(key("a"), PairFingerprint::of([fingerprint]), UnixHour(hour));
        assert!(settled("seen", 1000) && settled("seen", 1017));
        assert!(!settled("other", 1000));
        assert!(!settled("seen", 1031));
        assert!(!settled("seen", 999), "the clock went back");
        assert!(!cache.is_settled(key("b"), PairFingerprint::of(["seen"]), UnixHour(1000)));
    }

    #[test]
    fn not_all_are_due_in_the_same_hour() {
        let mut cache = Cache::default();
        let keys: Vec<_> = (0..1300).map(|n| key(&format!("src/p!{n}"))).collect();
        keys.iter().for_each(|key| cache.record(*key, quiet("p", 0)));
        let settled = |hour| {
            keys.iter().filter(|key| cache.is_settled(**key, PairFingerprint::of(["p"]), UnixHour(hour))).count()
        };
        assert_eq!((settled(17), settled(30)), (1300, 0));
        for hour in 18..30 {
            let due = settled(hour - 1) - settled(hour);
            assert!((50..=160).contains(&due), "{due} of 1300 in one of 13 hours");
        }
    }

    #[test]
    fn one_that_cannot_be_synced_is_checked_again_within_three_hours() {
        let mut cache = Cache::default();
        cache.record(key("a"), troubled(TroubleKind::Refused, Some("p"), 1000));
        assert!(cache.is_settled(key("a"), PairFingerprint::of(["p"]), UnixHour(1001)));
        assert!(!cache.is_settled(key("a"), PairFingerprint::of(["p"]), UnixHour(1003)));
    }

    #[test]
    fn counts_the_runs_with_the_same_kind_of_trouble() {
        let mut cache = Cache::default();
        for _ in 0..2 {
            cache.record(key("a"), troubled(TroubleKind::Failed, None, 7));
        }
        let trouble = cache.get(key("a")).unwrap().trouble.clone().unwrap();
        assert_eq!((trouble.times, trouble.why.chars().count()), (2, LONGEST_REASON));
        cache.record(key("a"), troubled(TroubleKind::Refused, None, 8));
        assert_eq!(cache.troubles().first().unwrap().times, 1);
        cache.record(key("a"), quiet("p", 9));
        assert!(cache.troubles().is_empty());
    }

    #[test]
    fn is_small_and_is_read_back() {
        let mut cache = Cache::default();
        for n in 0..1500 {
            cache.record(key(&format!("src/package-{n}!7 c10s")), quiet("p", 495_123));
        }
        cache.record(key("b"), troubled(TroubleKind::NoDistGit, Some("p"), 3));
        cache.record(key("c"), troubled(TroubleKind::Failed, None, 3));
        let text = serde_json::to_string(&cache).unwrap();
        assert!(text.len() < 75_000, "{}", text.len());
        assert_eq!(serde_json::from_str::<Cache>(&text).unwrap(), cache);
        let entry = r#"[["00000000000000ff","cbf29ce484222325",9]]"#;
        let read: Cache = serde_json::from_str(entry).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), entry);
    }

    #[test]
    fn one_that_is_due_only_for_its_age_needs_a_full_check() {
        let mut cache = Cache::default();
        cache.record(key("a"), quiet("seen", 1000));
        let whole = |cache: &Cache, of, fingerprint: &str| {
            cache.needs_full_check(key(of), Some(PairFingerprint::of([fingerprint])))
        };
        assert!(whole(&cache, "a", "seen") && !whole(&cache, "a", "other"));
        assert!(whole(&cache, "new", "seen") && !cache.needs_full_check(key("a"), None));
        cache.record(key("b"), troubled(TroubleKind::Failed, None, 1000));
        assert!(!whole(&cache, "b", "seen"));
        cache.forget_checks();
        assert!(whole(&cache, "a", "other") && whole(&cache, "b", "seen"));
        assert_eq!(cache.troubles().len(), 1);
    }

    #[test]
    fn keeps_a_limited_number_of_entries() {
        let mut cache = Cache::default();
        let keys: Vec<_> = (0..MOST + 5).map(|n| key(&n.to_string())).collect();
        keys.iter().for_each(|key| cache.record(*key, quiet("p", 0)));
        cache.retain(keys.iter().copied(), |_| false);
        assert_eq!(cache.0.len(), MOST);
        cache.retain([key("3"), key("gone")], |_| false);
        assert_eq!(cache.0.len(), 1);
    }

    #[test]
    fn thousands_of_conflicts_hide_no_failure_and_fit_into_a_note() {
        let mut cache = Cache::default();
        let trouble = |name: &str, kind| {
            let trouble = PairTrouble { merge_request: name.to_owned(), kind, why: "<--\"".repeat(100), times: 0 };
            CacheEntry { checked: UnixHour(7), fingerprint: Some(PairFingerprint::of(["p"])), trouble: Some(trouble) }
        };
        for n in 0..3000 {
            let name = format!("src/a-package-{n:04}!1");
            cache.record(key(&name), trouble(&name, TroubleKind::Refused));
        }
        let failed = "src/z!1";
        let mut keys: Vec<_> = cache.0.keys().copied().chain([key(failed)]).collect();
        for times in 1..=3 {
            cache.record(key(failed), trouble(failed, TroubleKind::Failed));
            cache.retain(keys.iter().copied(), |_| false);
            let trouble = cache.get(key(failed)).and_then(|entry| entry.trouble.clone()).unwrap();
            assert_eq!((trouble.times, trouble.why.len()), (times, 400));
        }
        assert_eq!(cache.troubles().len(), 3001);
        let reasons = cache.troubles().iter().filter(|trouble| !trouble.why.is_empty()).count();
        assert_eq!(reasons, MOST_REASONS + 1);
        // The status issue shows the first by name.
        assert!(cache.troubles().iter().take(MOST_REASONS).all(|trouble| !trouble.why.is_empty()));
        for n in 0..4000 {
            let name = format!("src/b-package-{n:04}!1");
            cache.record(key(&name), trouble(&name, TroubleKind::Failed));
            cache.record(key(&n.to_string()), quiet("p", 0));
            keys.extend([key(&name), key(&n.to_string())]);
        }
        cache.retain(keys, |_| false);
        let written = crate::pair::markers::cache_line(&cache).len();
        assert!((LONGEST / 2..LONGEST).contains(&written), "{written}");
        let failed = cache.troubles().iter().filter(|trouble| trouble.kind == TroubleKind::Failed).count();
        assert_eq!(failed, 4001);
    }

    #[test]
    fn keeps_other_entries_on_request() {
        let mut cache = Cache::default();
        cache.record(key("a"), quiet("p", 5));
        cache.record(key("b"), quiet("p", 3));
        cache.record(key("c"), quiet("p", 3));
        assert_eq!(cache.retain([key("a")], |entry| entry.checked == UnixHour(3)), 2);
        assert_eq!(cache.retain([key("b")], |entry| entry.checked == UnixHour(3)), 1);
        assert!(cache.get(key("a")).is_none() && cache.get(key("c")).is_some());
    }
}
