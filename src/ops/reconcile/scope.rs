//! How far a run goes, as its arguments and its job say.

use std::time::Instant;

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};

use crate::ci::JobContext;
use crate::cli::args::{self, Shard};
use crate::cli::exit::UsageError;
use crate::config::Instance;
use crate::pair::cache::CacheKey;
use crate::types::ProjectPath;

/// See the module.
pub(crate) struct Bounds {
    /// After how many changes to end.
    pub(crate) max_changes: Option<u32>,
    /// Only what has changed since then.
    pub(crate) since: Option<DateTime<Utc>>,
    /// Only the merge requests of these source-git projects; where there are none, those of all.
    pub(crate) only: Vec<ProjectPath>,
    /// Which part of the projects.
    pub(crate) shard: Shard,
    /// How many projects at a time.
    pub(crate) jobs: u32,
    /// From when on nothing new is begun: GitLab would end the job amid it, before anything is remembered.
    pub(crate) until: Option<Instant>,
}

impl Bounds {
    /// Reads arguments and job, which speak of this instance.
    pub(crate) fn read(
        arguments: &args::Reconcile,
        job: &JobContext,
        instance: &Instance,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let mut only = Vec::new();
        for name in &arguments.only {
            let path = name.parse::<ProjectPath>();
            let Some(path) = path.ok().filter(|path| instance.namespaces.dist_git_of(path.as_str()).is_some()) else {
                bail!(UsageError {
                    text: format!("{name:?} is not a source-git project of the instance {}", instance.name),
                    hint: "name it by its path: `--only group/project`".to_owned(),
                });
            };
            if !only.contains(&path) {
                only.push(path);
            }
        }
        // What a job's variables say is GitLab's, or else nobody's business: then there is one part.
        let of_job = || job.node.as_deref().and_then(|node| args::shard(node).ok());
        Ok(Self {
            max_changes: arguments.max_changes,
            since: arguments.since.map(|since| since.moment(now)),
            only,
            shard: arguments.shard.or_else(of_job).unwrap_or_default(),
            jobs: arguments.jobs,
            until: job.time_to_begin(now).and_then(|left| Instant::now().checked_add(left)),
        })
    }

    /// Whether it is too late to begin anything.
    pub(crate) fn is_time_up(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }

    /// Whether a person chose what to look at: then it is looked at whatever is known of it, and of the whole the
    /// run can say nothing.
    pub(crate) fn are_chosen(&self) -> bool {
        self.since.is_some() || !self.only.is_empty()
    }

    /// Whether a source-git project is in this part. All merge requests of a project are in the same.
    pub(crate) fn include(&self, project: &ProjectPath) -> bool {
        let share = CacheKey::of([project.as_str()]).share(u64::from(self.shard.total));
        share == u64::from(self.shard.index.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_project_is_in_one_of_the_parts_and_the_parts_are_about_as_large() {
        let parts = (1..=4).map(|index| Bounds {
            max_changes: None,
            since: None,
            only: Vec::new(),
            shard: Shard { index, total: 4 },
            jobs: 1,
            until: None,
        });
        let parts: Vec<_> = parts.collect();
        let mut sizes = [0; 4];
        for n in 0..400 {
            let project: ProjectPath = format!("src/package-{n}").parse().unwrap();
            let within: Vec<_> = (0..4).filter(|part| parts[*part].include(&project)).collect();
            assert_eq!(within.len(), 1);
            sizes[within[0]] += 1;
        }
        assert!(sizes.iter().all(|size| (60..=140).contains(size)), "{sizes:?}");
    }
}
