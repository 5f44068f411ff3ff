//! What a run covers, according to its arguments and its job.

use std::str::FromStr;
use std::time::Instant;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::ci::JobContext;
use crate::config::Instance;
use crate::pair::cache::CacheKey;
use crate::types::ProjectPath;
use crate::types::error::{UsageError, bail};

/// What a person or a job asks a run to do.
#[derive(Clone, Debug)]
pub struct ReconcileRequest {
    /// After how many changed merge requests the run ends.
    pub max_changes: Option<u32>,
    /// Only merge requests that have changed since then.
    pub since: Option<Since>,
    /// Only the merge requests of these source-git projects, by their paths.
    pub only: Vec<String>,
    /// Which part of the projects. By default, the part of the job.
    pub shard: Option<Shard>,
    /// How many projects to work on at the same time.
    pub jobs: u32,
}

/// A moment that somebody names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    At(DateTime<Utc>),
    Ago(TimeDelta),
}

impl Since {
    /// Returns the moment, counted back from `now` if necessary.
    pub fn moment(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(moment) => moment,
            Self::Ago(ago) => now.checked_sub_signed(ago).unwrap_or(DateTime::<Utc>::MIN_UTC),
        }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || "must be a day (2026-11-22), a time (2026-11-22T18:00:00Z), or how long ago (90m, 2h, 3d)".to_owned();
        if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(moment.to_utc()));
        }
        if let Ok(day) = text.parse::<NaiveDate>() {
            return Ok(Self::At(day.and_time(NaiveTime::MIN).and_utc()));
        }
        let unit = text.chars().last().ok_or_else(wrong)?;
        let number = text.strip_suffix(unit).and_then(|number| number.parse::<u32>().ok()).ok_or_else(wrong)?;
        let minutes = match unit {
            'm' => 1,
            'h' => 60,
            'd' => 24 * 60,
            'w' => 7 * 24 * 60,
            _ => return Err(wrong()),
        };
        TimeDelta::try_minutes(i64::from(number) * minutes).map(Self::Ago).ok_or_else(wrong)
    }
}

/// One of several parts of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Counted from 1.
    pub index: u32,
    pub total: u32,
}

impl Default for Shard {
    /// One part: everything.
    fn default() -> Self {
        Self { index: 1, total: 1 }
    }
}

impl FromStr for Shard {
    type Err = String;

    /// Parses `K/N`. N is at most 200, because GitLab runs up to 200 jobs in parallel.
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, total)| Some((index.parse().ok()?, total.parse().ok()?)));
        match numbers {
            Some((index, total)) if (1..=200).contains(&total) && (1..=total).contains(&index) => {
                Ok(Self { index, total })
            }
            _ => Err("must be `K/N` with K from 1 to N, and N at most 200".to_owned()),
        }
    }
}

/// What a run covers.
pub(crate) struct ReconcileScope {
    /// After how many changed merge requests the run ends.
    pub(crate) max_changes: Option<u32>,
    /// Only merge requests that have changed since then.
    pub(crate) since: Option<DateTime<Utc>>,
    /// Only the merge requests of these source-git projects. If empty, those of all projects.
    pub(crate) only: Vec<ProjectPath>,
    pub(crate) shard: Shard,
    /// How many projects to work on at the same time.
    pub(crate) jobs: u32,
    /// When the run stops to begin new work. Otherwise GitLab would end the job before it saves what it learned.
    pub(crate) deadline: Option<Instant>,
}

impl ReconcileScope {
    /// Combines the request with what the job says.
    ///
    /// # Errors
    ///
    /// The request names a project that is not a source-git project of the instance.
    pub(crate) fn read(
        request: &ReconcileRequest,
        job: &JobContext,
        instance: &Instance,
        now: DateTime<Utc>,
    ) -> crate::types::error::Result<Self> {
        let mut only = Vec::new();
        for name in &request.only {
            let path = name.parse::<ProjectPath>();
            let Some(path) = path.ok().filter(|path| instance.namespaces.dist_git_of(path.as_str()).is_some()) else {
                bail!(UsageError::new(
                    format!("{name:?} is not a source-git project of the instance {}", instance.name),
                    "name it by its path: `--only group/project`"
                ));
            };
            if !only.contains(&path) {
                only.push(path);
            }
        }
        // GitLab sets these variables of the job. If they make no sense, there is only one part.
        let of_job = || job.node.as_deref().and_then(|node| node.parse().ok());
        Ok(Self {
            max_changes: request.max_changes,
            since: request.since.map(|since| since.moment(now)),
            only,
            shard: request.shard.or_else(of_job).unwrap_or_default(),
            jobs: request.jobs,
            deadline: job.time_to_begin(now).and_then(|left| Instant::now().checked_add(left)),
        })
    }

    /// Whether it is too late to begin new work.
    pub(crate) fn is_time_up(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Whether a person selected the merge requests. Then all of them are checked, whatever earlier runs know about
    /// them, and the run says nothing about the whole instance.
    pub(crate) fn is_selective(&self) -> bool {
        self.since.is_some() || !self.only.is_empty()
    }

    /// Whether a source-git project is in this part. All merge requests of a project are in the same part.
    pub(crate) fn includes(&self, project: &ProjectPath) -> bool {
        let share = CacheKey::of([project.as_str()]).share(u64::from(self.shard.total));
        share == u64::from(self.shard.index.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_day_a_time_or_an_age() {
        let now = DateTime::parse_from_rfc3339("2026-11-22T18:00:00Z").unwrap().to_utc();
        let at = |text: &str| text.parse::<Since>().unwrap().moment(now).to_rfc3339();
        assert_eq!(at("2026-11-20"), "2026-11-20T00:00:00+00:00");
        assert_eq!(at("2026-11-20T12:30:00+02:00"), "2026-11-20T10:30:00+00:00");
        assert_eq!(at("90m"), "2026-11-22T16:30:00+00:00");
        assert_eq!((at("2h"), at("3d")), (at("120m"), at("72h")));
        assert_eq!(at("1w"), "2026-11-15T18:00:00+00:00");
        assert!("4000000000w".parse::<Since>().unwrap().moment(now) < now);
        assert!(Since::Ago(TimeDelta::MAX).moment(now) < now);
        for bad in ["", "h", "2", "2y", "-2h", "yesterday", "2026-13-01", "2é"] {
            assert!(bad.parse::<Since>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_shard_is_one_of_several() {
        assert_eq!("2/4".parse::<Shard>().unwrap(), Shard { index: 2, total: 4 });
        for bad in ["", "1", "0/4", "5/4", "1/0", "1/201", "a/b", "1/4/2"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }

    #[test]
    fn each_project_is_in_exactly_one_part_and_parts_have_similar_sizes() {
        let parts = (1..=4).map(|index| ReconcileScope {
            max_changes: None,
            since: None,
            only: Vec::new(),
            shard: Shard { index, total: 4 },
            jobs: 1,
            deadline: None,
        });
        let parts: Vec<_> = parts.collect();
        let mut sizes = [0; 4];
        for n in 0..400 {
            let project: ProjectPath = format!("src/package-{n}").parse().unwrap();
            let within: Vec<_> = (0..4).filter(|part| parts[*part].includes(&project)).collect();
            assert_eq!(within.len(), 1);
            sizes[within[0]] += 1;
        }
        assert!(sizes.iter().all(|size| (60..=140).contains(size)), "{sizes:?}");
    }
}
