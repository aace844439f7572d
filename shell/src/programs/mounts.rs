//! `cofferdam mounts`, as the real command shows the mounts of a machine.

use std::collections::HashSet;

use cofferdam::UnixPath;
use cofferdam::mountinfo::{Entry, Table};
use cofferdam_view::arrivals::Arrivals;
use cofferdam_view::host::{Host, Namespace};
use cofferdam_view::tree::leading_to;
use cofferdam_view::{Look, printable, text};

use super::support::options::{not_simulated, take_options, usage};
use super::util_linux::path::canonical;
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option};
use crate::machine::{MountTable, Namespaces};

/// The exit status when it failed.
const FAILED: i32 = 125;

const OPTIONS: &[Opt] = &[
    option("containing", '\0', "containing", Takes::Argument),
    option("under", '\0', "under", Takes::Argument),
    option("peers-of", '\0', "peers-of", Takes::Argument),
    option("this-namespace", '\0', "this-namespace", Takes::Nothing),
    option("ascii", '\0', "ascii", Takes::Nothing),
    not_simulated("!--pid", '\0', "pid", Takes::Argument),
    not_simulated("!--file", '\0', "file", Takes::Argument),
    not_simulated("!--diff", '\0', "diff", Takes::Argument),
    not_simulated("!--json", '\0', "json", Takes::Nothing),
];

/// The command `cofferdam`, of which there is `mounts`.
pub(crate) async fn cofferdam(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, OPTIONS, Order::Permute, FAILED) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    match &parsed.operands[..] {
        [command] if command == b"mounts" => {}
        [] => return usage(execution, "which command? `cofferdam mounts` is simulated", FAILED),
        [command, ..] => {
            let message = [b"the command ", &command[..], b" is not simulated; `cofferdam mounts` is"].concat();
            execution.report(message);
            return FAILED;
        }
    }
    let which = if parsed.has("this-namespace") { Namespaces::Own } else { Namespaces::WithProcesses };
    let tables = MountTable::seen_by(&execution.process, which);
    let namespaces: Result<_, _> = tables
        .iter()
        .map(|seen| Table::parse(&seen.text).map(|table| Namespace { name: seen.name.clone(), table }))
        .collect();
    let host = match namespaces {
        Ok(namespaces) => Host::new(namespaces),
        Err(error) => {
            execution.report(format!("cannot read the mounts: {error}"));
            return FAILED;
        }
    };
    let path = |name: &str| parsed.value(name).map(|path| canonical(&execution.process, path));
    let look = Look { is_ascii: parsed.has("ascii"), has_colors: false };
    let shown = match (path("peers-of"), path("containing"), path("under")) {
        (Some(path), _, _) => Arrivals::of(&host, UnixPath::new(&path))
            .map(|arrivals| arrivals.text(&host, look))
            .ok_or_else(|| not_mounted(&path)),
        (None, Some(path), _) => match leading_to(&host.namespaces()[0].table, UnixPath::new(&path)) {
            Some(ids) => Ok(text::tree(&host, |mount| ids.contains(&mount.id()), look)),
            None => Err(not_mounted(&path)),
        },
        (None, None, Some(path)) => {
            let below = host.namespaces()[0].table.at_or_below(UnixPath::new(&path));
            let ids: HashSet<u32> = below.map(Entry::id).collect();
            Ok(text::tree(&host, |mount| ids.contains(&mount.id()), look))
        }
        (None, None, None) => Ok(text::tree(&host, |_| true, look)),
    };
    match shown {
        Ok(text) => {
            execution.print(text);
            0
        }
        Err(message) => {
            execution.report(message);
            FAILED
        }
    }
}

fn not_mounted(path: &[u8]) -> String {
    format!("no mount in the table has {}", printable(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Trial;

    #[test]
    fn it_shows_what_the_real_command_shows() {
        let trial = Trial::new();
        for command in [
            "mkdir -p /a /b",
            "mount -t tmpfs -o mode=755 one /a",
            "mount --make-shared /a",
            "mount --bind /a /b",
            "mkdir /a/x",
        ] {
            trial.quietly(command);
        }
        let (status, output, _) = trial.run("cofferdam mounts --under /a --ascii");
        assert_eq!(status, 0);
        let line = output.lines().nth(1).unwrap_or_default();
        assert!(
            line.starts_with("/a      one     tmpfs  rw,relatime  shared ") && line.ends_with(" with /b"),
            "{output}"
        );
        let (_, output, _) = trial.run("cofferdam mounts --containing /b/x");
        assert_eq!(
            output.lines().skip(1).map(|line| line.split(' ').next().unwrap_or_default()).collect::<Vec<_>>(),
            ["/", "└─/b"]
        );
        let (_, output, _) = trial.run("cofferdam mounts --peers-of /b/x");
        assert!(output.contains("appears at\n  /a/x  peer\n"), "{output}");
    }

    #[test]
    fn the_rest_of_it_is_not_simulated() {
        let trial = Trial::new();
        for (command, expected) in [
            ("cofferdam run", "the command run is not simulated"),
            ("cofferdam", "which command?"),
            ("cofferdam mounts --json", "option '--json' is not simulated"),
        ] {
            let (status, output, error) = trial.run(command);
            assert!(status == FAILED && output.is_empty() && error.contains(expected), "{command}: {status} {error}");
        }
    }
}
