//! Commands at the same time.

use std::thread;

use super::agent::Agent;
use crate::support::{Snapshot, Started, scenario};

const MANY: usize = 8;

#[test]
fn many_containers_are_prepared_at_once() {
    scenario("many_containers_are_prepared_at_once", |host| {
        let agent = Agent::new(host);
        let before = Snapshot::of(host, &[]);
        agent.volumes(&["db"]);
        let ids: Vec<_> = (0..MANY).map(|number| format!("c{number}")).collect();
        let all = |start: &dyn Fn(&str) -> Started| {
            let started: Vec<_> = ids.iter().map(|id| start(id)).collect();
            started.into_iter().map(|started| started.outcome().success()).collect::<Vec<_>>()
        };
        all(&|id| agent.prepare(id, &agent.config(id, &["db"])).start());
        assert_eq!(agent.ids(), ids);
        assert_eq!(all(&|id| agent.launch(id, "cat db/file; ls").start()), ["kept\ndb\n"; MANY]);
        all(&|id| agent.cleanup(id).start());
        agent.assert_no_container_left();
        agent.assert_volumes_intact(&["db"]);
        before.assert_unchanged(host, &[]);
    });
}

#[test]
fn one_id_is_prepared_once() {
    scenario("one_id_is_prepared_once", |host| {
        let agent = Agent::new(host);
        let before = Snapshot::of(host, &[]);
        agent.volumes(&["db"]);
        let config = agent.config("c1", &["db"]);
        let started: Vec<_> = (0..MANY).map(|_| agent.prepare("c1", &config).start()).collect();
        let outcomes: Vec<_> = started.into_iter().map(Started::outcome).collect();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.status == 0).count(), 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| outcome.status == 125).count(), MANY - 1, "{outcomes:?}");
        assert_eq!(agent.launch("c1", "cat db/file").outcome().success(), "kept\n");
        agent.clean_up_all();
        agent.assert_no_container_left();
        before.assert_unchanged(host, &[]);
    });
}

#[test]
fn prepare_and_cleanup_of_one_container_take_turns() {
    scenario("prepare_and_cleanup_of_one_container_take_turns", |host| {
        let agent = Agent::new(host);
        let before = Snapshot::of(host, &[]);
        agent.volumes(&["db"]);
        let config = agent.config("c1", &["db"]);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..15 {
                        let outcome = agent.prepare("c1", &config).outcome();
                        assert!(outcome.status == 0 || outcome.status == 125, "{outcome:?}");
                    }
                });
                scope.spawn(|| {
                    for _ in 0..15 {
                        agent.of("cleanup", "c1").outcome().success();
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..5 {
                    agent.recover();
                }
            });
        });
        agent.recover();
        agent.prepare("c1", &config).outcome();
        agent.clean_up_all();
        agent.assert_no_container_left();
        agent.assert_volumes_intact(&["db"]);
        before.assert_unchanged(host, &[]);
    });
}
