//! What is logged, on standard error: warnings, or what `COFFERDAM_LOG` asks for.

use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::fmt;

use crate::progress::StandardError;

const VARIABLE: &str = "COFFERDAM_LOG";

/// From now on, what is logged is written.
pub(crate) fn begin() {
    let dispatch = match EnvFilter::try_from_env(VARIABLE) {
        Ok(filter) => {
            Dispatch::new(fmt().with_writer(|| StandardError).without_time().with_env_filter(filter).finish())
        }
        Err(_) => Dispatch::new(Warnings::default()),
    };
    // It fails only where this was done before.
    let _ = tracing::dispatcher::set_global_default(dispatch);
}

/// Writes warnings and errors. What it takes is made for the first one: few processes have any, and all would wait for it.
#[derive(Default)]
struct Warnings(OnceLock<Dispatch>);

impl Warnings {
    const LEVEL: LevelFilter = LevelFilter::WARN;

    fn written(&self) -> &Dispatch {
        self.0.get_or_init(|| {
            Dispatch::new(fmt().with_writer(|| StandardError).without_time().with_max_level(Self::LEVEL).finish())
        })
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Self::LEVEL
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(Self::LEVEL)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.written().new_span(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.written().record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.written().record_follows_from(span, follows);
    }

    fn event(&self, event: &Event<'_>) {
        self.written().event(event);
    }

    fn enter(&self, span: &Id) {
        self.written().enter(span);
    }

    fn exit(&self, span: &Id) {
        self.written().exit(span);
    }
}
