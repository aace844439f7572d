//! Whether both kernels did the same: results and texts are compared up to a renaming of the ids in them.

mod relation;
mod tables;
mod values;

use std::fmt::Display;

use cofferdam::kernel::DeviceNumber;

use relation::{Conflict, Relation};
pub(crate) use relation::{Identities, Kind};

use crate::observation::Observation;

/// How what was seen on both sides differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// In this.
    Differs(String),
    /// In nothing, if an object that an id stood for is gone, which is not known yet.
    Uncertain,
}

type Verdict = Result<(), Mismatch>;

/// The comparison of two runs, item by item. It remembers which ids were found to be the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comparison {
    relation: Relation,
}

/// The comparison of one item.
struct Pair<'a> {
    relation: &'a mut Relation,
    identities: Option<&'a Identities>,
}

impl Comparison {
    /// Compares what came of the next item. `identities` are those after it, if they are known.
    pub(crate) fn compare(
        &mut self,
        real: &Observation,
        simulated: &Observation,
        identities: Option<&Identities>,
    ) -> Verdict {
        let mut pair = Pair { relation: &mut self.relation, identities };
        match (real, simulated) {
            (Observation::Skipped, Observation::Skipped) => Ok(()),
            (Observation::Returned(Err(real)), Observation::Returned(Err(simulated))) if real == simulated => Ok(()),
            (Observation::Returned(Ok(real)), Observation::Returned(Ok(simulated))) => pair.values(real, simulated),
            (Observation::Looked(Ok(real)), Observation::Looked(Ok(simulated))) => {
                pair.mountinfo(&real.mountinfo.0, &simulated.mountinfo.0)?;
                same("mounts", &real.mounts, &simulated.mounts)
            }
            (Observation::Looked(Err(real)), _) => differs(format!("the mount table can't be read: {real}")),
            _ => differs("the results differ".into()),
        }
    }
}

impl Pair<'_> {
    fn relate(&mut self, kind: Kind, what: &str, real: u64, simulated: u64) -> Verdict {
        self.relation.relate(kind, real, simulated, self.identities).map_err(|conflict| match conflict {
            Conflict::Certain => {
                Mismatch::Differs(format!("{what}: {real} and {simulated} do not stand for the same as before"))
            }
            Conflict::Unknown => Mismatch::Uncertain,
        })
    }

    /// An id that is 0 where there is none.
    fn relate_if_any(&mut self, kind: Kind, what: &str, real: u64, simulated: u64) -> Verdict {
        if real == 0 && simulated == 0 {
            return Ok(());
        }
        if real == 0 || simulated == 0 {
            return differs(format!("{what}: {real} and {simulated}"));
        }
        self.relate(kind, what, real, simulated)
    }

    /// Anonymous devices have the major number 0; the numbers of others mean the same everywhere.
    fn device(&mut self, real: DeviceNumber, simulated: DeviceNumber) -> Verdict {
        if real.major != 0 || simulated.major != 0 {
            return same("device", &real.major, &simulated.major)
                .and_then(|()| same("device", &real.minor, &simulated.minor));
        }
        self.relate(Kind::Device, "device", real.minor.into(), simulated.minor.into())
    }

    fn inode(&mut self, device: DeviceNumber, real: u64, simulated: u64) -> Verdict {
        let filesystem = self.identities.and_then(|identities| identities.object(Kind::Device, device.minor.into()));
        self.relate(Kind::Inode { device: device.minor, filesystem: filesystem.unwrap_or(0) }, "inode", real, simulated)
    }
}

fn differs(how: String) -> Verdict {
    Err(Mismatch::Differs(how))
}

fn same<T: PartialEq + Display>(what: &str, real: &T, simulated: &T) -> Verdict {
    if real == simulated { Ok(()) } else { differs(format!("{what}: {real} and {simulated}")) }
}
