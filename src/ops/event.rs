//! `event`: looks where a webhook or a job says, and does what is due there.
//!
//! What GitLab hands over is hostile: numbers are taken from it and nothing else, and everything is read from GitLab
//! afresh. Of a comment the number is taken: whether it asks for anything, and may, is read from GitLab too. A payload that
//! is not for this instance ends with a line in the log, for it is nobody's failure. Where the
//! instance requires webhook tokens, the same goes for one without a token for the project that it is about. That holds
//! whatever the event's kind, because whoever forges one chooses the kind.

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

/// The variable with the payload, or with the path of the file that holds it ("Access webhook payload" in GitLab's
/// documentation).
const TRIGGER_PAYLOAD: &str = "TRIGGER_PAYLOAD";

/// Reads what GitLab handed over; nothing, with a line in the log, where it is not for this program.
pub(crate) fn notice(payload: &[u8]) -> Result<Option<IncomingNotice>> {
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

/// Does what is due where the notice says, and adds what was done to `outcomes`. Webhook tokens have to be good at `now`, in
/// seconds since 1970.
pub(crate) fn event(
    notice: &IncomingNotice,
    settings: SessionSettings,
    mode: Mode,
    now: u64,
    outcomes: &mut Vec<Outcome>,
) -> Result<()> {
    let look = notice.look;
    let allowed = match settings.instance.webhook_tokens {
        WebhookTokens::Ignored => Allowed::Anywhere,
        WebhookTokens::Required => match scope(notice.webhook_token.as_ref(), &secret(&settings)?, now) {
            Ok(scope) => Allowed::Within(scope),
            Err(why) => {
                let instance = &settings.instance.name;
                tracing::warn!(
                    "an event about {} is not followed: {instance} requires a webhook token, and {why}",
                    words(&look)
                );
                return Ok(());
            }
        },
    };
    tracing::info!("an event about {}", words(&look));
    let session = settings.connect(mode)?;
    let project = match look {
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
    let mut work = EventWork { session: &session, project, outcomes };
    match look {
        WhereToLook::MergeRequest { iid, .. } if is_source_git => work.sync(&path, MergeRequestIid(iid)),
        WhereToLook::MergeRequest { iid, .. } if is_dist_git => work.dist_git(path, MergeRequestIid(iid)),
        WhereToLook::Note { merge_request, id, .. } if is_source_git => {
            work.comment(path, MergeRequestIid(merge_request), NoteId(id))
        }
        WhereToLook::Note { .. } if is_dist_git => {
            tracing::info!("comments in dist-git are no commands: nothing to do");
            Ok(())
        }
        WhereToLook::MergeRequest { .. } | WhereToLook::Note { .. } => {
            tracing::info!("{path} is no project of the instance {}: nothing to do", session.instance.name);
            Ok(())
        }
        // A job of a source-git merge request asks to look at that.
        WhereToLook::Pipeline { merge_request: Some((of, iid)), .. } if is_source_git && ProjectId(of) == project => {
            work.sync(&path, MergeRequestIid(iid))
        }
        WhereToLook::Pipeline { .. } if is_source_git => {
            tracing::info!("a pipeline of {path} without a merge request: nothing to do");
            Ok(())
        }
        // Whether it is of the instance is looked at there.
        WhereToLook::Pipeline { id, .. } => work.report(PipelineReference { project: path, pipeline: PipelineId(id) }),
    }
}

/// What somebody who sends events may have looked at.
enum Allowed {
    Anywhere,
    Within(TokenScope),
}

/// Returns the secret of an instance that requires webhook tokens.
fn secret(settings: &SessionSettings) -> Result<Secret, UsageError> {
    settings.environment().webhook_secret.clone().and_then(Secret::new).ok_or_else(|| UsageError::new(format!("{} requires webhook tokens, and SGB_WEBHOOK_SECRET is not set", settings.instance.name), "set it in the bot project (Settings, CI/CD, Variables; masked, protected, not expanded) to the secret that \
               `webhook-token` signs with, or take `webhook_tokens` out of the instance file"))
}

/// Returns what a webhook token is good for, or why it is good for nothing.
fn scope(token: Option<&SecretString>, secret: &Secret, now: u64) -> Result<TokenScope, String> {
    let token = token.map(|token| token.expose_secret()).filter(|token| !token.is_empty());
    let token = token.ok_or("it carries none")?;
    let verified = UnverifiedToken::parse(token).and_then(|token| token.verify(secret, now).cloned());
    verified.map_err(|why| format!("the one that it carries is not good: {why}"))
}

/// Doing what is due.
struct EventWork<'a> {
    session: &'a Session,
    project: ProjectId,
    outcomes: &'a mut Vec<Outcome>,
}

impl EventWork<'_> {
    fn sync(&mut self, project: &ProjectPath, iid: MergeRequestIid) -> Result<()> {
        let Some(dist_path) = self.session.instance.namespaces.dist_git_of(project.as_str()) else {
            return Ok(());
        };
        let reference = MergeRequestReference { project: project.clone(), iid };
        let request = SyncRequest::new(NamedMergeRequest { reference, dist_path: dist_path.parse()? });
        match sync::sync(self.session, &request) {
            Err(error) if is_not_found(error.gitlab()) => {
                // Whoever may send events may name what is not there.
                if !is_not_found(self.session.forge.merge_request(project, iid).as_ref().err()) {
                    return Err(error);
                }
                tracing::info!("{project}!{iid} is not there: nothing to do");
                Ok(())
            }
            synced => synced?.end(self.outcomes),
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

    /// What happened to a dist-git merge request is told where it was made from: results, and what a person did to it.
    fn dist_git(&mut self, project: ProjectPath, iid: MergeRequestIid) -> Result<()> {
        let dist = match self.session.forge.merge_request(&project, iid) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => {
                tracing::info!("{project}!{iid} is not there any more: nothing to do");
                return Ok(());
            }
            dist => dist?,
        };
        let Some(pair) = find_pair::of_dist(self.session, project, dist, None)? else { return Ok(()) };
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

/// Reads what GitLab handed over: the file that is named, else what the variable holds or names.
pub(crate) fn payload(named: Option<&Path>, context: &ProcessContext) -> Result<Vec<u8>> {
    if let Some(path) = named {
        return read(path);
    }
    match context.variables.get(TRIGGER_PAYLOAD).map(String::as_str) {
        None | Some("") => bail!(UsageError::new(
            format!("there is no event: {TRIGGER_PAYLOAD} is not set"),
            "run it in a triggered pipeline, or name a file with `--payload`"
        )),
        Some(value) if value.trim_start().starts_with('{') => Ok(value.as_bytes().to_vec()),
        Some(path) => read(Path::new(path)),
    }
}

/// Reads a file, of which no more than the limit and one byte counts.
fn read(path: &Path) -> Result<Vec<u8>> {
    let cannot = || format!("reading the event's payload from `{}`", path.display());
    let file = File::open(path).with_context(cannot)?;
    if !file.metadata().with_context(cannot)?.is_file() {
        bail!("`{}` is no file", path.display());
    }
    let mut payload = Vec::new();
    let limit = u64::try_from(PAYLOAD_LIMIT).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut payload).with_context(cannot)?;
    Ok(payload)
}

fn words(look: &WhereToLook) -> String {
    match look {
        WhereToLook::MergeRequest { project, iid } => format!("merge request !{iid} of project {project}"),
        WhereToLook::Note { project, merge_request, id } => {
            format!("comment {id} on merge request !{merge_request} of project {project}")
        }
        WhereToLook::Pipeline { project, id, .. } => format!("pipeline {id} of project {project}"),
    }
}
