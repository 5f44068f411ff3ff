//! `doctor`: checks an instance.

use crate::cli::Invocation;
use crate::cli::args::DoctorArgs;
use crate::cli::render::doctor as render;
use crate::ops::doctor;
use crate::types::error::{Result, bail};

pub(crate) fn run(arguments: &DoctorArgs, invocation: &Invocation<'_>) -> Result<()> {
    let packages = usize::try_from(arguments.packages).unwrap_or(usize::MAX);
    let diagnosis = doctor::doctor(arguments.bot.as_deref(), packages, invocation.settings()?)?;
    let diagnosis = render::printable(diagnosis);
    invocation.printer.print(&render::data(&diagnosis), |paint| render::text(&diagnosis, paint))?;
    let instance = &diagnosis.instance;
    match render::counts(&diagnosis).wrong {
        0 => Ok(()),
        1 => bail!("one thing is wrong with the instance {instance}"),
        many => bail!("{many} things are wrong with the instance {instance}"),
    }
}
