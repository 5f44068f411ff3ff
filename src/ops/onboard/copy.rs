//! Copies a repository's branches and tags in batches, so that the log shows progress and an interruption loses little.

use crate::ci::LogSection;
use crate::git::Store;
use crate::ops::onboard::run::OnboardRun;
use crate::types::error::{Context as _, Result};
use crate::types::{CommitId, ProjectPath};

/// How many branches and tags one fetch or push transfers.
const BATCH_SIZE: usize = 250;

impl OnboardRun<'_> {
    /// Copies missing refs. Pushes the first `pushed_alone` of `refs` alone: in an empty project, the branch that is
    /// pushed first becomes the default branch.
    pub(crate) fn copy(
        &self,
        from: &ProjectPath,
        to: &ProjectPath,
        refs: &[(String, CommitId)],
        pushed_alone: usize,
    ) -> Result<()> {
        let _section = LogSection::begin(self.session.log, "copy", &format!("copying {from} to {to}"));
        let store = Store::create(self.git)?;
        let names: Vec<&str> = refs.iter().map(|(name, _)| name.as_str()).collect();
        tracing::info!("fetching {} branches and tags of {from}; a long history takes its time", names.len());
        for batch in names.chunks(BATCH_SIZE) {
            self.remote("the original", from).fetch_whole(&store, batch)?;
        }
        let remote = self.remote("the copy", to);
        let mut pushed = 0usize;
        let (first, rest) = refs.split_at(refs.len().min(pushed_alone));
        for batch in std::iter::once(first).chain(rest.chunks(BATCH_SIZE)).filter(|batch| !batch.is_empty()) {
            let new = batch.iter().map(|(name, _)| Ok((name.as_str(), store.object_at(name)?)));
            let new = new.collect::<Result<Vec<_>>>().context("looking up what was fetched")?;
            remote.push_new(&store, &new)?;
            pushed = pushed.saturating_add(new.len());
            tracing::info!("pushed {pushed} of {} to {to}", refs.len());
        }
        Ok(())
    }
}
