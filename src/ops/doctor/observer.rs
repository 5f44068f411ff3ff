//! Asks GitLab. What it does not show is a fact and not an error. Logs progress, so that people know what they wait
//! for.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::forge::ProjectSettings;
use crate::ops::session::Session;
use crate::setup::instance_facts::{Unseen, Visible};
use crate::types::error::{ForgeError, Result, UsageError, bail};
use crate::types::{AccessLevel, ProjectId, UserId};

/// After how many failed requests in a row the run ends, because GitLab is unavailable.
const MAX_FAILURES: u32 = 3;

/// The shortest time between two lines about progress.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

pub(crate) struct Observer<'a> {
    pub(crate) session: &'a Session,
    /// The username of the token's owner.
    pub(crate) token_user: String,
    /// The username of the bot, which may be another user.
    pub(crate) bot_name: String,
    bot_id: UserId,
    is_bot_token: bool,
    /// How many packages are examined one by one.
    pub(crate) max_packages: usize,
    failures: Cell<u32>,
    last_progress: Cell<Instant>,
}

impl<'a> Observer<'a> {
    /// Asks GitLab for the token's owner and the bot's user.
    pub(crate) fn new(session: &'a Session, bot: Option<&str>, max_packages: usize) -> Result<Self> {
        let token_user = session.current_user()?.user.clone();
        let acting = match bot {
            None => token_user.clone(),
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
            is_bot_token: acting.id == token_user.id,
            token_user: token_user.username,
            bot_name: acting.username,
            bot_id: acting.id,
            max_packages,
            failures: Cell::new(0),
            last_progress: Cell::new(Instant::now()),
        })
    }

    /// Logs what is being examined, unless something was logged a moment ago.
    pub(crate) fn progress(&self, what: &str) {
        if self.last_progress.get().elapsed() >= PROGRESS_INTERVAL {
            tracing::info!("looking at {what}, after {} requests", self.session.forge.requests());
            self.last_progress.set(Instant::now());
        }
    }

    /// Turns a failed request into a fact: GitLab does not show this, or failed for this request only.
    ///
    /// # Errors
    ///
    /// The error, if every other request would fail in the same way, or if GitLab is unavailable.
    pub(crate) fn visible<T>(&self, answer: Result<T, ForgeError>) -> Result<Visible<T>> {
        let error = match answer {
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
        if failures >= MAX_FAILURES { Err(error.into()) } else { Ok(Err(Unseen::Failed(error.to_string()))) }
    }

    /// Does the same as [`Self::visible`] for a list.
    pub(crate) fn visible_list<T>(
        &self,
        answer: impl Iterator<Item = Result<T, ForgeError>>,
    ) -> Result<Visible<Vec<T>>> {
        self.visible(answer.collect())
    }

    /// Returns the bot's role in a project. If the token is the bot's own, the project's settings say the role.
    pub(crate) fn role(&self, id: ProjectId, settings: Option<&ProjectSettings>) -> Result<Visible<AccessLevel>> {
        match settings.and_then(|settings| settings.access).filter(|_| self.is_bot_token) {
            Some(access) => Ok(Ok(access)),
            None => self.visible(self.session.forge.role(id, self.bot_id)),
        }
    }

    /// Whether the token belongs to the bot.
    pub(crate) fn is_bot_token(&self) -> bool {
        self.is_bot_token
    }
}
