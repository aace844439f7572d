//! Mount tables.

use cofferdam::kernel::DeviceNumber;
use cofferdam::mountinfo::{Entry, OptionalField, entries};

use super::values::{named_number, same_text};
use super::{Kind, Mismatch, Pair, Verdict, differs};

impl Pair<'_> {
    /// Compares mountinfo line by line. Both list the mounts in the order in which they were made.
    pub(super) fn mountinfo(&mut self, real: &[u8], simulated: &[u8]) -> Verdict {
        let (mut real, mut simulated) = (entries(real), entries(simulated));
        loop {
            let (real, simulated) = match (real.next(), simulated.next()) {
                (None, None) => return Ok(()),
                (Some(Ok(real)), Some(Ok(simulated))) => (real, simulated),
                (Some(line), None) => return differs(format!("missing in the simulation: {}", shown(line))),
                (None, Some(line)) => return differs(format!("only in the simulation: {}", shown(line))),
                _ => return differs("a mount table has a malformed line".into()),
            };
            self.line(&real, &simulated).map_err(|mismatch| match mismatch {
                Mismatch::Differs(how) => Mismatch::Differs(format!("{how}\n  {real}\n  {simulated}")),
                Mismatch::Uncertain => Mismatch::Uncertain,
            })?;
        }
    }

    fn line(&mut self, real: &Entry<'_>, simulated: &Entry<'_>) -> Verdict {
        self.root(real, simulated)?;
        // How the rootfs is mounted is the machine's.
        let of_machine = real.filesystem_type_raw() == b"rootfs";
        same_text("mount point", real.mountpoint_raw(), simulated.mountpoint_raw())?;
        for (what, real, simulated, is_told) in [
            ("mount options", real.mount_options_raw(), simulated.mount_options_raw(), !of_machine),
            ("type", real.filesystem_type_raw(), simulated.filesystem_type_raw(), true),
            ("source", real.source_raw(), simulated.source_raw(), !of_machine),
            ("filesystem options", real.super_options_raw(), simulated.super_options_raw(), !of_machine),
        ] {
            if is_told && real != simulated {
                return differs(format!("the {what} differs"));
            }
        }
        self.relate(Kind::Mount, "mount id", real.id().into(), simulated.id().into())?;
        self.relate(Kind::Mount, "parent id", real.parent_id().into(), simulated.parent_id().into())?;
        let device = |entry: &Entry<'_>| DeviceNumber { major: entry.major(), minor: entry.minor() };
        self.device(device(real), device(simulated))?;
        self.propagation(real, simulated)
    }

    /// For a namespace that is mounted, the number stands here.
    fn root(&mut self, real: &Entry<'_>, simulated: &Entry<'_>) -> Verdict {
        match (named_number(real.root_raw()), named_number(simulated.root_raw())) {
            (Some((real_name, real)), Some((name, simulated))) if real_name == name => {
                self.relate(Kind::Namespace, "root", real, simulated)
            }
            _ => same_text("the root", real.root_raw(), simulated.root_raw()),
        }
    }

    fn propagation(&mut self, real: &Entry<'_>, simulated: &Entry<'_>) -> Verdict {
        let (mut real, mut simulated) = (real.optional_fields(), simulated.optional_fields());
        loop {
            let (real, simulated) = match (real.next(), simulated.next()) {
                (Some(OptionalField::Shared(real)), Some(OptionalField::Shared(simulated)))
                | (Some(OptionalField::Master(real)), Some(OptionalField::Master(simulated)))
                | (Some(OptionalField::PropagateFrom(real)), Some(OptionalField::PropagateFrom(simulated))) => {
                    (real, simulated)
                }
                (Some(OptionalField::Unbindable), Some(OptionalField::Unbindable)) => continue,
                (None, None) => return Ok(()),
                _ => return differs("the propagation differs".into()),
            };
            self.relate(Kind::PeerGroup, "peer group", real.into(), simulated.into())?;
        }
    }
}

fn shown(line: Result<Entry<'_>, cofferdam::mountinfo::ParseError>) -> String {
    line.map_or_else(|error| error.to_string(), |entry| entry.to_string())
}

#[cfg(test)]
mod tests {
    use crate::compare::{Comparison, Mismatch};
    use crate::observation::{Observation, Tables};

    const TABLE: &str = "\
        90 87 0:42 / / rw,relatime shared:4 - tmpfs root rw\n\
        88 90 0:43 mnt:[77] /ns rw master:4 - nsfs nsfs rw\n";
    const RENAMED: &str = "\
        30 20 0:2 / / rw,relatime shared:1 - tmpfs root rw\n\
        31 30 0:3 mnt:[99] /ns rw master:1 - nsfs nsfs rw\n";

    fn compare(real: &str, simulated: &str) -> Result<(), Mismatch> {
        let look = |text: &str| Observation::Looked(Ok(Tables { mountinfo: text.into(), ..Tables::default() }));
        Comparison::default().compare(&look(real), &look(simulated), None)
    }

    #[test]
    fn tables_that_differ_in_the_numbers_only_are_the_same() {
        assert_eq!(compare(TABLE, RENAMED), Ok(()));
    }

    #[test]
    fn a_peer_group_that_is_another_one_is_found() {
        assert_eq!(compare(TABLE, &RENAMED.replace("master:1", "master:2")), Err(Mismatch::Uncertain));
    }

    #[test]
    fn a_line_that_differs_is_found() {
        for (from, to) in [("relatime", "noatime"), ("nsfs rw\n", "nsfs ro\n"), ("/ns", "/other"), ("master:1 ", "")] {
            assert!(matches!(compare(TABLE, &RENAMED.replace(from, to)), Err(Mismatch::Differs(_))), "{from}");
        }
    }

    #[test]
    fn a_line_that_is_missing_is_found() {
        let (first, _) = RENAMED.split_once('\n').unwrap();
        assert!(matches!(compare(TABLE, first), Err(Mismatch::Differs(_))));
        assert!(matches!(compare(&TABLE[..TABLE.find('\n').unwrap()], RENAMED), Err(Mismatch::Differs(_))));
    }
}
