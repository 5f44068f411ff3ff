//! Copies a repository's branches and tags, in portions, so that one sees how far it is and an interruption loses little.
use crate::ci::LogSection;
use crate::git::Store;
use crate::ops::onboard::Run;
use crate::types::error::{Context as _, Result};
use crate::types::{CommitId, ProjectPath};

/// How many branches and tags one push makes.
const PORTION: usize = 250;

impl Run<'_> {
    /// Copies what is missing; the first `alone` of `refs` by themselves, for an empty project takes what is pushed to it
    /// first for the branch that a clone checks out.
    pub(crate) fn copy(
        &self,
        from: &ProjectPath,
        to: &ProjectPath,
        refs: &[(String, CommitId)],
        alone: usize,
    ) -> Result<()> {
        let _section = LogSection::begin(self.bot.log, "copy", &format!("copying {from} to {to}"));
        let store = Store::create(self.git)?;
        let names: Vec<&str> = refs.iter().map(|(name, _)| name.as_str()).collect();
        tracing::info!("fetching {} branches and tags of {from}; a long history takes its time", names.len());
        for portion in names.chunks(PORTION) {
            self.remote("the original", from).fetch_whole(&store, portion)?;
        }
        let remote = self.remote("the copy", to);
        let mut pushed = 0usize;
        let (first, rest) = refs.split_at(refs.len().min(alone));
        for portion in std::iter::once(first).chain(rest.chunks(PORTION)).filter(|portion| !portion.is_empty()) {
            let new = portion.iter().map(|(name, _)| Ok((name.as_str(), store.object_at(name)?)));
            let new = new.collect::<Result<Vec<_>>>().context("looking up what was fetched")?;
            remote.push_new(&store, &new)?;
            pushed = pushed.saturating_add(new.len());
            tracing::info!("pushed {pushed} of {} to {to}", refs.len());
        }
        Ok(())
    }
}
