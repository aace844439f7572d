//! `cofferdam metrics`

use cofferdam::kernel::Kernel;
use cofferdam::metrics::Counters;
use prometheus::{Encoder as _, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use super::input;
use super::list::{self, Found};
use crate::agent::Agent;
use crate::host::Host;
use crate::run::Failure;

/// Prints what there is, and what was counted since the machine was started.
pub(super) fn metrics(kernel: &dyn Kernel, host: &dyn Host, agent: &Agent) -> Result<(), Failure> {
    let registry = Registry::new_custom(Some("cofferdam".into()), None)?;
    let containers = gauge(&registry, "containers", "Containers that are known.")?;
    let new_rootfs = IntGaugeVec::new(
        Opts::new("containers_new_rootfs", "Containers that are known and have a root filesystem of their own."),
        &["nested"],
    )?;
    registry.register(Box::new(new_rootfs.clone()))?;
    let mut counters = Counters::default();
    if let Some(Found { isolator, .. }) = list::open(kernel, host, agent)? {
        counters = Counters::recorded(kernel, &isolator.config().layout)?;
        for id in isolator.containers() {
            containers.inc();
            if isolator.container(id).is_some_and(|container| container.has_rootfs()) {
                new_rootfs.with_label_values(&[if id.parent().is_some() { "true" } else { "false" }]).inc();
            }
        }
        if let Some(gids) = isolator.gid_gauges()? {
            gauge(&registry, "volume_gids_total", "Gids that volumes can get.")?.set(gids.total.into());
            gauge(&registry, "volume_gids_free", "Gids that no volume has.")?.set(gids.free.into());
        }
    }
    for nested in ["false", "true"] {
        new_rootfs.with_label_values(&[nested]);
    }
    let mounts = IntCounterVec::new(Opts::new("mounts_total", "Mounts made and undone on the host."), &["change"])?;
    registry.register(Box::new(mounts.clone()))?;
    mounts.with_label_values(&["made"]).inc_by(counters.mounts_made);
    mounts.with_label_values(&["undone"]).inc_by(counters.mounts_undone);
    let failures = IntCounterVec::new(Opts::new("failures_total", "Failures by operation."), &["operation"])?;
    registry.register(Box::new(failures.clone()))?;
    for (operation, count) in &counters.failures {
        failures.with_label_values(&[operation]).inc_by(*count);
    }
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text)?;
    Ok(input::print(&text)?)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}
