//! `event`: what a webhook or a job hands over, and what the bot does about it.

mod hostile_variables;
mod notices;
mod tokens;
mod webhooks;
