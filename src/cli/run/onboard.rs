//! `onboard`: sets up a package on GitLab.

use crate::cli::Invocation;
use crate::cli::args::OnboardArgs;
use crate::cli::render::onboard::{self as render, OnboardingResult};
use crate::ops::onboard::{self, OnboardRequest};
use crate::ops::session::Mode;
use crate::setup::ci_file::Templates;
use crate::setup::package_name::PackageName;
use crate::setup::todo::TodoReason;
use crate::types::error::{Result, UsageError, bail};
use crate::types::finding::quoted;

pub(crate) fn run(arguments: &OnboardArgs, invocation: &Invocation<'_>) -> Result<()> {
    let package: PackageName = arguments.package.parse().map_err(|error| {
        UsageError::new(
            format!("{} {error}", quoted(arguments.package.as_bytes())),
            "name the package as GitLab has it in its projects' addresses, such as `bash` or `python3.12`: letters, \
             digits, `_`, `-` and `.`",
        )
    })?;
    let settings = invocation.settings()?;
    let templates = named_templates(arguments)?;
    let request = OnboardRequest { package, namespace: arguments.namespace.clone(), templates };
    let onboarded = onboard::onboard(&request, settings, invocation.mode())?;
    let package = &request.package;
    let result = OnboardingResult { package, onboarded: &onboarded, dry_run: invocation.mode() == Mode::DryRun };
    invocation.printer.print(&result.data(), |paint| render::text(&result, paint))?;
    let undone = onboarded.steps.todos.iter().filter(|todo| todo.why == TodoReason::Undone).count();
    if let Some(error) = onboarded.error {
        return Err(error);
    }
    if undone > 0 {
        bail!("{package} is not under the bot's care yet: not all could be done, see above");
    }
    Ok(())
}

/// Returns the templates and the image, if the command line names them.
fn named_templates(arguments: &OnboardArgs) -> Result<Option<Templates>> {
    let Some((templates, image)) = arguments.templates.as_deref().zip(arguments.image.as_deref()) else {
        return Ok(None);
    };
    let (project, reference) = templates.rsplit_once('@').unwrap_or((templates, ""));
    let templates = Templates::new(project, reference, image).map_err(|text| UsageError::new(text, "give both: `--templates group/source-git-bot@v0.1.0 --image registry.example.com/group/source-git-bot:0.1.0`"))?;
    Ok(Some(templates))
}
