//! `onboard` among webhooks that people have made.

use gitlab_sandbox::HookEvent;

use super::world::{HUB, World};

#[test]
fn webhooks_of_a_group_around_that_do_it_already_are_not_doubled() {
    let world = World::new();
    let hub = world.sandbox.inspect(|model| model.project(HUB).unwrap().id);
    let url = format!("{}/api/v4/projects/{hub}/ref/main/trigger/pipeline?token={{token}}", world.sandbox.url());
    let token = world.sandbox.trigger_token(HUB, "operator");
    for event in [HookEvent::MergeRequest, HookEvent::Note] {
        world.sandbox.group_hook("packit-service", &url).on(event).masked("token", &token).create();
    }
    let run = world.onboard(&[]);
    run.ends_with(0);
    assert_eq!(world.webhooks().len(), 0, "{}", run.stdout);
    assert!(run.stdout.contains("packit-service: the webhook for comments"), "{}", run.stdout);
    let _ = world.written();
}

#[test]
fn of_one_webhook_for_both_that_is_set_right_neither_half_is_lost() {
    let world = World::new();
    world.onboard(&[]).ends_with(0);
    let hooks = world.webhooks();
    world.sandbox.arrange(|model| {
        for hook in hooks {
            if hook.events.contains("note_events") {
                model.webhooks.remove(&hook.id);
            } else {
                let both = model.webhooks.get_mut(&hook.id).unwrap();
                both.events.insert("note_events".to_owned());
                both.template = None;
            }
        }
    });
    let _ = world.written();
    world.onboard(&[]).ends_with(0);
    let _ = world.written();
    world.tokens_are_in_their_places();
    world.onboard(&[]).ends_with(0);
    assert_eq!(world.written(), []);
}

#[test]
fn a_webhook_that_works_stays_as_its_maker_wrote_it() {
    let world = World::new();
    world.onboard(&[]).ends_with(0);
    let hub = world.sandbox.inspect(|model| model.project(HUB).unwrap().id);
    world.sandbox.arrange(|model| {
        for hook in model.webhooks.values_mut() {
            hook.url = hook.url.replace(&format!("/projects/{hub}/"), "/projects/operators%2Fbot/");
            if hook.events.contains("note_events") {
                hook.events.insert("confidential_note_events".to_owned());
            }
        }
    });
    let _ = world.written();
    let run = world.onboard(&[]);
    run.ends_with(0);
    assert_eq!(world.written(), [], "{}", run.stdout);
    assert_eq!(world.webhooks().len(), 2);
}
