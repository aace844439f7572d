//! Times calls among more and more of something, on one kernel.

use std::time::{Duration, Instant};

use cofferdam::kernel::{Errno, Kernel};
use cofferdam_benches::Machine;
use serde::Serialize;

use crate::calls::{Call, calls};
use crate::scene::{Dimension, Scene};

/// How long a call is tried at one size.
const BUDGET: Duration = Duration::from_millis(300);
/// How often at least.
const FEWEST: usize = 9;
/// How often at most.
const MOST: usize = 2_000;

/// What a call cost at a size.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cost {
    /// The size.
    pub size: usize,
    /// The shortest time, in nanoseconds.
    pub minimum_ns: u64,
    /// The median, in nanoseconds.
    pub median_ns: u64,
    /// How often it was made.
    pub rounds: usize,
}

/// What a call cost on one kernel, from few to many.
pub type Costs = Vec<Cost>;

/// What is measured.
pub struct Selection {
    /// Only calls with this in their name.
    pub call: Option<String>,
    /// Only from this size on.
    pub smallest: usize,
    /// Only up to this size.
    pub largest: usize,
}

impl Selection {
    /// The sizes of a dimension.
    pub fn sizes(&self, dimension: Dimension) -> impl Iterator<Item = usize> {
        let wanted = self.smallest..=self.largest;
        dimension.sizes().iter().copied().filter(move |size| wanted.contains(size))
    }

    /// The calls that are measured in a dimension.
    pub fn calls<K: Kernel>(&self, dimension: Dimension) -> Vec<Call<K>> {
        let is_wanted = |call: &Call<K>| {
            let is_named = self.call.as_ref().is_none_or(|part| call.name.contains(part));
            is_named && call.dimensions.contains(&dimension)
        };
        calls().into_iter().filter(is_wanted).collect()
    }
}

/// Times the calls of a dimension, each at all sizes. A size that the kernel refuses is left out, and said so.
///
/// # Errors
///
/// Those of making a machine, at the first size.
pub fn measure<K: Kernel>(
    kernel: &str,
    dimension: Dimension,
    selection: &Selection,
    machine: impl Fn() -> Result<Machine<K>, Errno>,
) -> Result<Vec<Costs>, Errno> {
    let calls = selection.calls(dimension);
    let mut costs: Vec<Costs> = calls.iter().map(|_| Vec::new()).collect();
    for size in selection.sizes(dimension) {
        let scene = match Scene::new(machine()?, dimension, size) {
            Ok(scene) => scene,
            Err(errno) => {
                eprintln!("{kernel}: {size} {} can't be made: {errno}", dimension.name());
                continue;
            }
        };
        for (call, costs) in calls.iter().zip(&mut costs) {
            match times(call, &scene) {
                Ok(mut times) => costs.push(cost(size, &mut times)),
                Err(errno) => eprintln!("{kernel}: {} among {size} {}: {errno}", call.name, dimension.name()),
            }
        }
    }
    Ok(costs)
}

fn times<K: Kernel>(call: &Call<K>, scene: &Scene<K>) -> Result<Vec<Duration>, Errno> {
    // The first finds nothing in the caches.
    (call.round)(scene)?;
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < FEWEST || times.len() < MOST && start.elapsed() < BUDGET {
        times.push((call.round)(scene)?);
    }
    Ok(times)
}

fn cost(size: usize, times: &mut [Duration]) -> Cost {
    times.sort_unstable();
    let nanoseconds =
        |time: Option<&Duration>| time.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    let median = times.get(times.len() / 2);
    Cost { size, minimum_ns: nanoseconds(times.first()), median_ns: nanoseconds(median), rounds: times.len() }
}
