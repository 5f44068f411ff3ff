//! `event`: looks at what a webhook or a job points to, and does what is due there.
//!
//! The payload is hostile input: only ids are taken from it, and everything else is read from GitLab. That includes
//! comments: GitLab says what a comment asks for, and whether its author may ask for it.
//!
//! A payload that is not for this instance ends with a line in the log, because it is nobody's failure. If the instance
//! requires webhook tokens, the same happens to a payload without a token for its project. This holds for every kind of
//! event, because whoever forges one chooses its kind.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use crate::ci::{IncomingNotice, NoticeError, PAYLOAD_LIMIT, WhereToLook};
use crate::config::WebhookTokens;
use crate::ops::find_pair::{self, PairReference};
use crate::ops::outcome::Outcome;
use crate::ops::reference::{MergeRequestReference, NamedMergeRequest, PipelineReference};
use crate::ops::session::{Mode, Session, SessionSettings};
use crate::ops::sync::{self, SyncRequest};
use crate::ops::{ProcessContext, report, slash_command};
use crate::setup::webhook_token::{Secret, TokenScope, UnverifiedToken};
use crate::types::error::{Context as _, ForgeError, Result, UsageError, bail};
use crate::types::{MergeRequestIid, NoteId, PipelineId, ProjectId, ProjectPath};

/// The variable that holds the payload, or the path of a file with it. Source: "Access webhook payload" in GitLab's
/// documentation.
const TRIGGER_PAYLOAD: &str = "TRIGGER_PAYLOAD";

/// Parses a payload. Returns `None`, and logs why, if the payload is not for this program.
pub(crate) fn parse_notice(payload: &[u8]) -> Result<Option<IncomingNotice>> {
    match IncomingNotice::read(payload) {
        Ok(notice) => Ok(Some(notice)),
        Err(NoticeError::NotForUs(why)) => {
            tracing::info!("the event's payload is not followed: {why}");
            Ok(None)
        }
        Err(error @ NoticeError::SetsVariables) => bail!(UsageError::new(
            format!("the event's payload is refused: {error}"),
            "forbid it in the bot project: Settings, CI/CD, Variables, minimum role to use pipeline variables: no one \
             allowed"
        )),
    }
}

/// Does what is due for what the notice points to, and adds what was done to `outcomes`. Webhook tokens must be valid
/// at `now`, in seconds since 1970.
pub(crate) fn event(
    notice: &IncomingNotice,
    settings: SessionSettings,
    mode: Mode,
    now: u64,
    outcomes: &mut Vec<Outcome>,
) -> Result<()> {
    let subject = notice.look;
    let allowed = match settings.instance.webhook_tokens {
        WebhookTokens::Ignored => Allowed::Anywhere,
        WebhookTokens::Required => match token_scope(notice.webhook_token.as_ref(), &webhook_secret(&settings)?, now) {
            Ok(scope) => Allowed::Within(scope),
            Err(why) => {
                let instance = &settings.instance.name;
                tracing::warn!(
                    "an event about {} is not followed: {instance} requires a webhook token, and {why}",
                    describe(&subject)
                );
                return Ok(());
            }
        },
    };
    tracing::info!("an event about {}", describe(&subject));
    let session = settings.connect(mode)?;
    let project = match subject {
        WhereToLook::MergeRequest { project, .. }
        | WhereToLook::Note { project, .. }
        | WhereToLook::Pipeline { project, .. } => ProjectId(project),
    };
    let path = match session.forge.project(project) {
        Ok(found) => found.path,
        Err(ForgeError::NotFoundOrNoAccess(_)) => {
            tracing::info!("project {project} is none that the bot can see: nothing to do");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    if let Allowed::Within(scope) = &allowed
        && !scope.covers(path.as_str())
    {
        tracing::warn!("the event is not followed: its webhook token is not for {path}");
        return Ok(());
    }
    let namespaces = &session.instance.namespaces;
    let (is_source_git, is_dist_git) =
        (namespaces.dist_git_of(path.as_str()).is_some(), namespaces.source_git_of(path.as_str()).is_some());
    let mut handler = EventHandler { session: &session, project, outcomes };
    match subject {
        WhereToLook::MergeRequest { iid, .. } if is_source_git => handler.sync(&path, MergeRequestIid(iid)),
        WhereToLook::MergeRequest { iid, .. } if is_dist_git => {
            handler.dist_git_merge_request(path, MergeRequestIid(iid))
        }
        WhereToLook::Note { merge_request, id, .. } if is_source_git => {
            handler.comment(path, MergeRequestIid(merge_request), NoteId(id))
        }
        WhereToLook::Note { .. } if is_dist_git => {
            tracing::info!("comments in dist-git are no commands: nothing to do");
            Ok(())
        }
        WhereToLook::MergeRequest { .. } | WhereToLook::Note { .. } => {
            tracing::info!("{path} is no project of the instance {}: nothing to do", session.instance.name);
            Ok(())
        }
        // A job of a source-git merge request asks the bot to look at that merge request.
        WhereToLook::Pipeline { merge_request: Some((of, iid)), .. } if is_source_git && ProjectId(of) == project => {
            handler.sync(&path, MergeRequestIid(iid))
        }
        WhereToLook::Pipeline { .. } if is_source_git => {
            tracing::info!("a pipeline of {path} without a merge request: nothing to do");
            Ok(())
        }
        // `report` checks whether the pipeline belongs to the instance.
        WhereToLook::Pipeline { id, .. } => {
            handler.report(PipelineReference { project: path, pipeline: PipelineId(id) })
        }
    }
}

/// The projects that the sender of an event may make the bot look at.
enum Allowed {
    Anywhere,
    Within(TokenScope),
}

/// Returns the webhook secret of an instance that requires webhook tokens.
fn webhook_secret(settings: &SessionSettings) -> Result<Secret, UsageError> {
    settings.environment().webhook_secret.clone().and_then(Secret::new).ok_or_else(|| {
        UsageError::new(
            format!("{} requires webhook tokens, and SGB_WEBHOOK_SECRET is not set", settings.instance.name),
            "set it in the bot project (Settings, CI/CD, Variables; masked, protected, not expanded) to the secret \
             that `webhook-token` signs with, or take `webhook_tokens` out of the instance file",
        )
    })
}

/// Returns what a webhook token is valid for, or why it is not valid.
fn token_scope(token: Option<&SecretString>, secret: &Secret, now: u64) -> Result<TokenScope, String> {
    let token = token.map(|token| token.expose_secret()).filter(|token| !token.is_empty());
    let token = token.ok_or("it carries none")?;
    let verified = UnverifiedToken::parse(token).and_then(|token| token.verify(secret, now).cloned());
    verified.map_err(|why| format!("the one that it carries is not good: {why}"))
}

struct EventHandler<'a> {
    session: &'a Session,
    project: ProjectId,
    outcomes: &'a mut Vec<Outcome>,
}

impl EventHandler<'_> {
    fn sync(&mut self, project: &ProjectPath, iid: MergeRequestIid) -> Result<()> {
        let Some(dist_path) = self.session.instance.namespaces.dist_git_of(project.as_str()) else {
            return Ok(());
        };
        let reference = MergeRequestReference { project: project.clone(), iid };
        let request = SyncRequest::new(NamedMergeRequest { reference, dist_path: dist_path.parse()? });
        match sync::sync(self.session, &request) {
            Err(error) if is_not_found(error.gitlab()) => {
                // The sender of an event may name a merge request that does not exist.
                if !is_not_found(self.session.forge.merge_request(project, iid).as_ref().err()) {
                    return Err(error);
                }
                tracing::info!("{project}!{iid} is not there: nothing to do");
                Ok(())
            }
            synced => synced?.record_in(self.outcomes),
        }
    }

    fn comment(&mut self, project: ProjectPath, iid: MergeRequestIid, note: NoteId) -> Result<()> {
        let Some(dist_path) = self.session.instance.namespaces.dist_git_of(project.as_str()) else {
            return Ok(());
        };
        let dist_path = dist_path.parse()?;
        let named = NamedMergeRequest { reference: MergeRequestReference { project, iid }, dist_path };
        slash_command::follow(self.session, named, self.project, note, self.outcomes)
    }

    /// Brings what happened to a dist-git merge request to its source-git merge request: CI results, and what people
    /// did.
    fn dist_git_merge_request(&mut self, project: ProjectPath, iid: MergeRequestIid) -> Result<()> {
        let dist = match self.session.forge.merge_request(&project, iid) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => {
                tracing::info!("{project}!{iid} is not there any more: nothing to do");
                return Ok(());
            }
            dist => dist?,
        };
        let Some(pair) = find_pair::from_dist_git(self.session, project, dist, None)? else { return Ok(()) };
        let (source, iid) = (pair.source_path.clone(), pair.source.iid);
        self.outcomes.push(report::report(self.session, pair)?);
        self.sync(&source, iid)
    }

    fn report(&mut self, reference: PipelineReference) -> Result<()> {
        let pair = find_pair::find(self.session, &PairReference::Pipeline(reference))?;
        let Some(pair) = pair else { return Ok(()) };
        self.outcomes.push(report::report(self.session, pair)?);
        Ok(())
    }
}

fn is_not_found(error: Option<&ForgeError>) -> bool {
    matches!(error, Some(ForgeError::NotFoundOrNoAccess(_)))
}

/// Reads the payload: from the file `named`, or else as the variable `TRIGGER_PAYLOAD` holds or names it.
pub(crate) fn read_payload(named: Option<&Path>, context: &ProcessContext) -> Result<Vec<u8>> {
    if let Some(path) = named {
        return read_file(path);
    }
    match context.variables.get(TRIGGER_PAYLOAD).map(String::as_str) {
        None | Some("") => bail!(UsageError::new(
            format!("there is no event: {TRIGGER_PAYLOAD} is not set"),
            "run it in a triggered pipeline, or name a file with `--payload`"
        )),
        Some(value) if value.trim_start().starts_with('{') => Ok(value.as_bytes().to_vec()),
        Some(path) => read_file(Path::new(path)),
    }
}

/// Reads at most one byte more than the limit: enough to tell that a payload is too long.
fn read_file(path: &Path) -> Result<Vec<u8>> {
    let reading = || format!("reading the event's payload from `{}`", path.display());
    let file = File::open(path).with_context(reading)?;
    if !file.metadata().with_context(reading)?.is_file() {
        bail!("`{}` is no file", path.display());
    }
    let mut payload = Vec::new();
    let limit = u64::try_from(PAYLOAD_LIMIT).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut payload).with_context(reading)?;
    Ok(payload)
}

fn describe(subject: &WhereToLook) -> String {
    match subject {
        WhereToLook::MergeRequest { project, iid } => format!("merge request !{iid} of project {project}"),
        WhereToLook::Note { project, merge_request, id } => {
            format!("comment {id} on merge request !{merge_request} of project {project}")
        }
        WhereToLook::Pipeline { project, id, .. } => format!("pipeline {id} of project {project}"),
    }
}
