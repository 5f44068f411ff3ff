//! What a run of `reconcile` leaves for the next: which merge requests it looked at, as they were then, and found nothing
//! to do. While all that can be seen of one in lists stays the same, looking again would find the same.
//!
//! It only saves time. Whatever is lost, broken or not understood of it is looked at again, and so is everything after a
//! while: there are things that no list shows (a project's visibility, a new tag).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::pair::fingerprint::FnvHash;
use crate::pair::sanitize;

/// The most merge requests that are remembered of those with which nothing is the matter. 50 bytes for each: they fit into
/// one note with room to spare.
const MOST: usize = 12_000;

/// The most merge requests that cannot be synced of which it is remembered why: their notes say it.
const MOST_REASONS: usize = 200;

/// How long the written form may be, in bytes: GitLab takes notes of a million characters.
const LONGEST: usize = 950_000;

/// The bytes of an entry, without the texts of a trouble.
const QUIET: usize = 55;
const TROUBLED: usize = 110;

/// The longest reason that is remembered, in characters.
const LONGEST_REASON: usize = 400;

/// For how long one that needed nothing is left alone: from 18 to 30 hours, so that not all come due in the same run.
const REST: (u32, u64) = (18, 13);

/// For how long one that cannot be synced is: from 2 to 3 hours. What stood in its way may go unseen: a tag is pushed, a
/// project made public.
const REST_REFUSED: (u32, u64) = (2, 2);

/// An hour, counted from 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixHour(pub u32);

impl UnixHour {
    /// Where something never was.
    pub const NEVER: Self = Self(0);

    /// Returns the hour of a moment.
    pub fn of(moment: DateTime<Utc>) -> Self {
        Self(u32::try_from(moment.timestamp() / 3600).unwrap_or_default())
    }
}

/// What stands for a merge request, whatever becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CacheKey(FnvHash);

impl CacheKey {
    /// Returns the key of what has these names.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(FnvHash::of_parts(names))
    }

    /// Returns one of the numbers below `limit`, always the same: for dividing work.
    pub const fn share(self, limit: u64) -> u64 {
        self.0.below(limit)
    }
}

/// What stands for all that was seen of a merge request and its pair. It tells the same from something else; against
/// forgery it protects nothing: whoever forged one would only keep their own merge request waiting for a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PairFingerprint(FnvHash);

impl PairFingerprint {
    /// Returns the print of these texts, in this order.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        Self(FnvHash::of_parts(parts))
    }
}

/// What is known of a merge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEntry {
    /// When it was last looked at; [`UnixHour::NEVER`] where that was under other settings, or a whole look failed.
    pub checked: UnixHour,
    /// How it looked; nothing where it has to be looked at again.
    pub fingerprint: Option<PairFingerprint>,
    /// What is the matter with it.
    pub trouble: Option<PairTrouble>,
}

/// What keeps a merge request from being brought up to date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairTrouble {
    /// The merge request: `group/project!7`; or the group, where it is about all that is in it.
    #[serde(rename = "m")]
    pub merge_request: String,
    /// Of which kind it is.
    #[serde(rename = "k")]
    pub kind: TroubleKind,
    /// What was said, for people, of any origin.
    #[serde(rename = "w")]
    pub why: String,
    /// In how many runs in a row.
    #[serde(rename = "n", default)]
    pub times: u32,
}

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TroubleKind {
    /// It cannot be synced: its author's to mend, and its note says so.
    Refused,
    /// dist-git has no project or no branch for it.
    NoDistGit,
    /// Something went wrong.
    Failed,
}

impl TroubleKind {
    /// The less a kind can wait, the lower.
    const fn rank(self) -> u8 {
        match self {
            Self::Failed => 0,
            Self::NoDistGit => 1,
            Self::Refused => 2,
        }
    }
}

impl CacheEntry {
    /// At most how many bytes the written form takes.
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

/// What is known of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<StoredEntry>", into = "Vec<StoredEntry>")]
pub struct Cache(BTreeMap<CacheKey, CacheEntry>);

/// A line of the written form: short, for there are many.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredEntry {
    Troubled(CacheKey, Option<PairFingerprint>, UnixHour, PairTrouble),
    Quiet(CacheKey, Option<PairFingerprint>, UnixHour),
}

impl From<Vec<StoredEntry>> for Cache {
    fn from(entries: Vec<StoredEntry>) -> Self {
        let known = entries.into_iter().map(|entry| match entry {
            StoredEntry::Troubled(key, fingerprint, checked, trouble) => {
                (key, CacheEntry { checked, fingerprint, trouble: Some(trouble) })
            }
            StoredEntry::Quiet(key, fingerprint, checked) => (key, CacheEntry { checked, fingerprint, trouble: None }),
        });
        Self(known.collect())
    }
}

impl From<Cache> for Vec<StoredEntry> {
    fn from(cache: Cache) -> Self {
        let entry = |(key, known)| match known {
            CacheEntry { checked, fingerprint, trouble: Some(trouble) } => {
                StoredEntry::Troubled(key, fingerprint, checked, trouble)
            }
            CacheEntry { checked, fingerprint, trouble: None } => StoredEntry::Quiet(key, fingerprint, checked),
        };
        cache.0.into_iter().map(entry).collect()
    }
}

impl Cache {
    /// Whether a merge request that looks like this now needs no look.
    pub fn is_settled(&self, key: CacheKey, fingerprint: PairFingerprint, now: UnixHour) -> bool {
        let Some(known) = self.0.get(&key) else { return false };
        let (least, spread) = if known.trouble.is_some() { REST_REFUSED } else { REST };
        let rest = u64::from(least).saturating_add(key.share(spread));
        let since = u64::from(now.0.saturating_sub(known.checked.0));
        // A clock that went back is no reason to rest for longer.
        known.fingerprint == Some(fingerprint) && known.checked <= now && since < rest
    }

    /// Whether a merge request that looks like this now is to be looked at as if for the first time: it never was, or
    /// only its rest is over, and what is to be found then is what no list tells.
    pub fn needs_full_check(&self, key: CacheKey, fingerprint: Option<PairFingerprint>) -> bool {
        let Some(known) = self.0.get(&key) else { return true };
        known.checked == UnixHour::NEVER || (fingerprint.is_some() && known.fingerprint == fingerprint)
    }

    /// Forgets how everything looked, but not what is the matter.
    pub fn forget_checks(&mut self) {
        for known in self.0.values_mut() {
            (known.checked, known.fingerprint) = (UnixHour::NEVER, None);
        }
    }

    /// Returns what is known of a merge request.
    pub fn get(&self, key: CacheKey) -> Option<&CacheEntry> {
        self.0.get(&key)
    }

    /// Puts down what became of a merge request. Of a trouble that was there before, it is known how often.
    pub fn record(&mut self, key: CacheKey, mut known: CacheEntry) {
        if let Some(trouble) = &mut known.trouble {
            let before = self.0.get(&key).and_then(|known| known.trouble.as_ref());
            let before = before.filter(|before| before.kind == trouble.kind);
            trouble.times = before.map_or(0, |before| before.times).saturating_add(1);
            trouble.why = sanitize::cut(&trouble.why, LONGEST_REASON);
        }
        self.0.insert(key, known);
    }

    /// Forgets all but these and those of the rest that are to be kept `also`, and what is too much. Returns how many of the
    /// rest were kept.
    pub fn retain(&mut self, keys: impl IntoIterator<Item = CacheKey>, also: impl Fn(&CacheEntry) -> bool) -> usize {
        let keys: BTreeSet<_> = keys.into_iter().collect();
        self.0.retain(|key, known| keys.contains(key) || also(known));
        let rest = self.0.keys().filter(|key| !keys.contains(key)).count();
        self.shorten();
        rest
    }

    /// Makes it fit into a note. First go reasons, then entries with which nothing is the matter; what failed goes last, for
    /// a person is called by how often it did.
    fn shorten(&mut self) {
        let (mut troubled, quiet): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.0).into_iter().partition(|(_, known)| known.trouble.is_some());
        let order = |known: &CacheEntry| {
            let trouble = known.trouble.as_ref();
            trouble.map(|trouble| (trouble.kind.rank(), trouble.merge_request.clone()))
        };
        troubled.sort_by_cached_key(|(_, known)| order(known));
        let mut forget_reasons = |of: &[TroubleKind]| {
            let troubles = troubled.iter_mut().filter_map(|(_, known)| known.trouble.as_mut());
            for trouble in troubles.filter(|trouble| of.contains(&trouble.kind)).skip(MOST_REASONS) {
                trouble.why.clear();
            }
            troubled.iter().map(|(_, known)| known.bytes()).sum::<usize>()
        };
        if forget_reasons(&[TroubleKind::Refused]) > LONGEST {
            forget_reasons(&[TroubleKind::Failed, TroubleKind::NoDistGit, TroubleKind::Refused]);
        }
        let mut bytes = 0_usize;
        let all = troubled.into_iter().chain(quiet.into_iter().take(MOST));
        let fitting = all.take_while(|(_, known)| {
            bytes = bytes.saturating_add(known.bytes());
            bytes <= LONGEST
        });
        self.0 = fitting.collect();
    }

    /// Returns what is the matter, by the merge request's name.
    pub fn troubles(&self) -> Vec<&PairTrouble> {
        let mut troubles: Vec<_> = self.0.values().filter_map(|known| known.trouble.as_ref()).collect();
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
    fn what_looks_the_same_is_settled_for_about_a_day() {
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
    fn not_all_come_due_in_the_same_hour() {
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
    fn one_that_cannot_be_synced_is_tried_again_within_three_hours() {
        let mut cache = Cache::default();
        cache.record(key("a"), troubled(TroubleKind::Refused, Some("p"), 1000));
        assert!(cache.is_settled(key("a"), PairFingerprint::of(["p"]), UnixHour(1001)));
        assert!(!cache.is_settled(key("a"), PairFingerprint::of(["p"]), UnixHour(1003)));
    }

    #[test]
    fn the_runs_in_which_the_same_kind_of_trouble_was_met_are_counted() {
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
    fn it_is_written_in_few_bytes_and_read_back() {
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
    fn what_is_due_only_because_its_rest_is_over_is_looked_at_whole() {
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
    fn it_is_bounded() {
        let mut cache = Cache::default();
        let keys: Vec<_> = (0..MOST + 5).map(|n| key(&n.to_string())).collect();
        keys.iter().for_each(|key| cache.record(*key, quiet("p", 0)));
        cache.retain(keys.iter().copied(), |_| false);
        assert_eq!(cache.0.len(), MOST);
        cache.retain([key("3"), key("gone")], |_| false);
        assert_eq!(cache.0.len(), 1);
    }

    #[test]
    fn hundreds_of_conflicts_hide_no_failure_and_fit_into_a_note() {
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
            let known = cache.get(key(failed)).and_then(|known| known.trouble.clone()).unwrap();
            assert_eq!((known.times, known.why.len()), (times, 400));
        }
        assert_eq!(cache.troubles().len(), 3001);
        let reasons = cache.troubles().iter().filter(|trouble| !trouble.why.is_empty()).count();
        assert_eq!(reasons, MOST_REASONS + 1);
        // The first by name are those that are shown.
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
    fn what_no_list_could_show_is_kept_where_that_is_asked_for() {
        let mut cache = Cache::default();
        cache.record(key("a"), quiet("p", 5));
        cache.record(key("b"), quiet("p", 3));
        cache.record(key("c"), quiet("p", 3));
        assert_eq!(cache.retain([key("a")], |known| known.checked == UnixHour(3)), 2);
        assert_eq!(cache.retain([key("b")], |known| known.checked == UnixHour(3)), 1);
        assert!(cache.get(key("a")).is_none() && cache.get(key("c")).is_some());
    }
}
