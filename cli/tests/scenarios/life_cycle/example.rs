//! The agent in `examples/`.

use std::path::Path;
use std::process::Command;

use crate::support::{COFFERDAM, Outcome, scenario};

#[test]
fn the_example_of_an_agent_works() {
    scenario("the_example_of_an_agent_works", |host| {
        let rootfs = host.busybox();
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/agent.sh"));
        command.arg("--work-dir").arg(host.work_dir()).arg("--runtime-dir").arg(host.runtime_dir());
        command.args(["--containers", "8", "--cofferdam", COFFERDAM]).arg(rootfs);
        let outcome = Outcome::of(command);
        assert_eq!(outcome.status, 0, "{}{}", outcome.text(), outcome.stderr);
        assert!(outcome.text().ends_with("nothing is left of 8 containers but their volumes\n"), "{}", outcome.text());
    });
}
