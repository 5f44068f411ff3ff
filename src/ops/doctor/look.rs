//! Asking GitLab: what it does not show is a fact and no error, and who waits is told what for.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::forge::{AccessLevel, ProjectSettings};
use crate::ops::session::Session;
use crate::setup::instance_facts::{Unseen, Visible};
use crate::types::error::{ForgeError, Result, UsageError, bail};
use crate::types::{ProjectId, UserId};

/// After how many answers in a row that were none the rest is not asked for: GitLab is away.
const FAILURES: u32 = 3;

/// How long nothing is said.
const SILENCE: Duration = Duration::from_secs(2);

/// Somebody who looks at an instance.
pub(crate) struct Look<'a> {
    pub(crate) session: &'a Session,
    /// The name of the token's user.
    pub(crate) user: String,
    /// The name of the bot's user, which may be another.
    pub(crate) bot_name: String,
    bot_id: UserId,
    is_the_bot: bool,
    /// How many packages are looked into one by one.
    pub(crate) packages: usize,
    failures: Cell<u32>,
    said: Cell<Instant>,
}

impl<'a> Look<'a> {
    /// Asks who the token's user and the bot's are.
    pub(crate) fn new(session: &'a Session, bot: Option<&str>, packages: usize) -> Result<Self> {
        let myself = session.myself()?.user.clone();
        let acting = match bot {
            None => myself.clone(),
            Some(name) => match session.forge.user_by_name(name)? {
                Some(user) => user,
                None => bail!(UsageError::new(
                    format!("there is no user {name} on {}", session.instance.gitlab.url),
                    "give `--bot` the name of the bot's user, as in `@name`"
                )),
            },
        };
        Ok(Self {
            session,
            is_the_bot: acting.id == myself.id,
            user: myself.username,
            bot_name: acting.username,
            bot_id: acting.id,
            packages,
            failures: Cell::new(0),
            said: Cell::new(Instant::now()),
        })
    }

    /// Says what is being looked at, where nothing was said for a while.
    pub(crate) fn at(&self, what: &str) {
        if self.said.get().elapsed() >= SILENCE {
            tracing::info!("looking at {what}, after {} requests", self.session.forge.requests());
            self.said.set(Instant::now());
        }
    }

    /// Takes what is not shown, or failed by itself, for a fact.
    ///
    /// # Errors
    ///
    /// What would befall every other request too.
    pub(crate) fn seen<T>(&self, asked: Result<T, ForgeError>) -> Result<Visible<T>> {
        let error = match asked {
            Ok(answer) => {
                self.failures.set(0);
                return Ok(Ok(answer));
            }
            Err(error) => error,
        };
        if error.concerns_every_request() {
            return Err(error.into());
        }
        if !error.is_worth_a_retry() {
            self.failures.set(0);
            return Ok(Err(match error {
                ForgeError::NotFoundOrNoAccess(_) | ForgeError::Forbidden(_) => Unseen::NotShown,
                error => Unseen::Failed(error.to_string()),
            }));
        }
        let failures = self.failures.get().saturating_add(1);
        self.failures.set(failures);
        if failures >= FAILURES { Err(error.into()) } else { Ok(Err(Unseen::Failed(error.to_string()))) }
    }

    /// The same of a list.
    pub(crate) fn listed<T>(&self, asked: impl Iterator<Item = Result<T, ForgeError>>) -> Result<Visible<Vec<T>>> {
        self.seen(asked.collect())
    }

    /// Returns the bot's role in a project, whose settings say it where the token is the bot's own.
    pub(crate) fn role(&self, id: ProjectId, settings: Option<&ProjectSettings>) -> Result<Visible<AccessLevel>> {
        match settings.and_then(|settings| settings.access).filter(|_| self.is_the_bot) {
            Some(access) => Ok(Ok(access)),
            None => self.seen(self.session.forge.role(id, self.bot_id)),
        }
    }

    /// Whether the token is the bot's own.
    pub(crate) fn is_the_bot(&self) -> bool {
        self.is_the_bot
    }
}
