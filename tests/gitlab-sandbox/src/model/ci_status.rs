//! The states of pipelines and jobs, and how a pipeline's state follows from those of its jobs. Nothing here knows
//! where jobs come from.

/// The state of a pipeline, job, bridge or external status (GitLab's `Ci::HasStatus::AVAILABLE_STATUSES`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are GitLab's")]
pub enum CiStatus {
    Created,
    WaitingForResource,
    Preparing,
    WaitingForCallback,
    Pending,
    Running,
    Success,
    Failed,
    Canceling,
    Canceled,
    Skipped,
    Manual,
    Scheduled,
}

impl CiStatus {
    /// Every state.
    pub const ALL: [Self; 13] = [
        Self::Created,
        Self::WaitingForResource,
        Self::Preparing,
        Self::WaitingForCallback,
        Self::Pending,
        Self::Running,
        Self::Success,
        Self::Failed,
        Self::Canceling,
        Self::Canceled,
        Self::Skipped,
        Self::Manual,
        Self::Scheduled,
    ];

    /// The name as the API writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::WaitingForResource => "waiting_for_resource",
            Self::Preparing => "preparing",
            Self::WaitingForCallback => "waiting_for_callback",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Canceling => "canceling",
            Self::Canceled => "canceled",
            Self::Skipped => "skipped",
            Self::Manual => "manual",
            Self::Scheduled => "scheduled",
        }
    }

    /// The state of this name, if it is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether nothing more happens by itself (`COMPLETED_STATUSES`).
    #[must_use]
    pub const fn is_complete(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Canceled | Self::Skipped)
    }

    /// The word on a pipeline's badge (`text` of `detailed_status`).
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::WaitingForResource | Self::WaitingForCallback => "Waiting",
            Self::Preparing => "Preparing",
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Success => "Passed",
            Self::Failed => "Failed",
            Self::Canceling => "Canceling",
            Self::Canceled => "Canceled",
            Self::Skipped => "Skipped",
            Self::Manual => "Blocked",
            Self::Scheduled => "Delayed",
        }
    }

    /// The longer form of the badge's word (`label` of `detailed_status`), as the Pipeline Hook has it too.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::WaitingForResource => "waiting for resource",
            Self::WaitingForCallback => "waiting for callback",
            Self::Success => "passed",
            Self::Manual => "waiting for manual action",
            Self::Scheduled => "waiting for delayed job",
            other => other.name(),
        }
    }
}

/// What the jobs of a pipeline come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Composite {
    /// The state.
    pub status: CiStatus,
    /// Whether a job failed or was canceled that was allowed to.
    pub warnings: bool,
}

/// What one job adds to the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Counts(CiStatus),
    /// Failed or canceled, and allowed to.
    Warning,
    /// Manual, and not waited for.
    Ignored,
}

/// The state that a pipeline has because of its latest jobs, given as state and `allow_failure`; nothing where there are
/// none. The rules and their order are those of `lib/gitlab/ci/status/composite.rb` (with `dag` off, as for pipelines).
pub(crate) fn composite(jobs: impl IntoIterator<Item = (CiStatus, bool)>) -> Option<Composite> {
    use CiStatus::{
        Canceled, Canceling, Created, Manual, Pending, Preparing, Running, Scheduled, Skipped, Success,
        WaitingForCallback, WaitingForResource,
    };
    use Part::{Counts, Ignored, Warning};
    let parts: Vec<Part> = jobs
        .into_iter()
        .map(|(status, allow_failure)| match status {
            CiStatus::Failed | Canceled if allow_failure => Warning,
            Manual if allow_failure => Ignored,
            status => Counts(status),
        })
        .collect();
    if parts.is_empty() {
        return None;
    }
    let only = |allowed: &[Part]| parts.iter().all(|part| allowed.contains(part));
    let any = |wanted: CiStatus| parts.contains(&Counts(wanted));
    let status = if only(&[Counts(Skipped), Ignored]) {
        Skipped
    } else if only(&[Counts(Success), Counts(Skipped), Warning, Ignored]) {
        Success
    } else if only(&[Counts(Created), Warning, Ignored]) {
        Created
    } else if only(&[Counts(Preparing), Warning, Ignored]) {
        Preparing
    } else if only(&[Counts(Canceled), Counts(Success), Counts(Skipped), Warning, Ignored]) {
        Canceled
    } else if only(&[Counts(Pending), Counts(Created), Counts(Skipped), Warning, Ignored]) {
        Pending
    } else if any(Running) || any(Pending) {
        Running
    } else {
        let rest = [WaitingForResource, WaitingForCallback, Manual, Scheduled, Preparing];
        rest.into_iter().find(|status| any(*status)).unwrap_or_else(|| match () {
            () if any(Created) => Running,
            () if any(Canceling) => Canceling,
            () => CiStatus::Failed,
        })
    };
    Some(Composite { status, warnings: parts.contains(&Warning) })
}
