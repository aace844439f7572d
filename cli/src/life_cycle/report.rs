//! What has failed, for people and for programs.

use std::error::Error;

use cofferdam::error::{CallError, Report};
use cofferdam::isolator::{CleanupError, CreateError, IsolatorError, PrepareError, RemoveError, UpdateError};
use cofferdam::locks::LockError;
use cofferdam::record::RecordError;
use cofferdam::volumes::{GidError, VolumeError, VolumeProblem};

use super::LifeCycleError;
use crate::arguments::LifeCycleCommand;

/// Tells on standard error what has failed: in a line, or as one JSON object.
pub(super) fn print(command: &LifeCycleCommand, error: &(dyn Error + 'static)) {
    if !command.common().json {
        eprintln!("cofferdam: {error}");
        return;
    }
    let report = match call(error) {
        Some(call) => Report { message: error.to_string(), ..Report::of_call(command.name(), call) },
        None => Report::new(command.name(), error.to_string()),
    };
    // It is made of text: nothing in it can't be written.
    eprintln!("{}", serde_json::to_string(&report).unwrap_or_else(|_| format!("cofferdam: {error}")));
}

/// The system call that is to blame, if there is one.
fn call<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e CallError> {
    fn of<'e, E: Blames + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e CallError> {
        error.downcast_ref::<E>().and_then(Blames::call)
    }
    of::<CallError>(error)
        .or_else(|| of::<LockError>(error))
        .or_else(|| of::<CreateError>(error))
        .or_else(|| of::<PrepareError>(error))
        .or_else(|| of::<UpdateError>(error))
        .or_else(|| of::<CleanupError>(error))
        .or_else(|| of::<RemoveError>(error))
        .or_else(|| of::<GidError>(error))
        .or_else(|| of::<IsolatorError>(error))
        .or_else(|| of::<RecordError>(error))
        .or_else(|| of::<LifeCycleError>(error))
}

/// What may have failed because of a system call; of several, the first.
trait Blames: Error {
    fn call(&self) -> Option<&CallError>;
}

impl Blames for CallError {
    fn call(&self) -> Option<&CallError> {
        Some(self)
    }
}

impl Blames for LockError {
    fn call(&self) -> Option<&CallError> {
        match self {
            Self::Call(error) => Some(error),
            _ => None,
        }
    }
}

impl Blames for IsolatorError {
    fn call(&self) -> Option<&CallError> {
        match self {
            Self::Call(error) => Some(error),
            _ => None,
        }
    }
}

impl Blames for RecordError {
    fn call(&self) -> Option<&CallError> {
        match self {
            Self::Call(error) => Some(error),
            Self::Damaged { .. } => None,
        }
    }
}

impl Blames for CreateError {
    fn call(&self) -> Option<&CallError> {
        match self {
            Self::Isolator(error) => error.call(),
            _ => None,
        }
    }
}

impl Blames for PrepareError {
    fn call(&self) -> Option<&CallError> {
        match self {
            Self::Isolator(error) | Self::ParentConfig { error, .. } => error.call(),
            Self::Update(error) => error.call(),
            Self::Volume(VolumeError { problem: VolumeProblem::Call(error), .. }) => Some(error),
            _ => None,
        }
    }
}

impl Blames for UpdateError {
    fn call(&self) -> Option<&CallError> {
        match self {
            Self::Isolator(error) => error.call(),
            Self::Gid(error) => error.call(),
            _ => None,
        }
    }
}

impl Blames for GidError {
    fn call(&self) -> Option<&CallError> {
        match self {
            Self::Call(error) => Some(error),
            Self::NotFreed(errors) => errors.iter().find_map(Self::call),
            _ => None,
        }
    }
}

impl Blames for CleanupError {
    fn call(&self) -> Option<&CallError> {
        match self {
            Self::Isolator(error) => error.call(),
            Self::MountsLeft { errors, .. } => errors.first(),
            Self::Runtime { error, .. } => error.call(),
            Self::Gid(error) => error.call(),
            Self::HasChild { .. } => None,
        }
    }
}

impl Blames for LifeCycleError {
    fn call(&self) -> Option<&CallError> {
        match self {
            Self::NotRecovered(errors) => errors.iter().find_map(|error| call(&**error)),
            Self::Unreadable { error, .. } => error.call(),
            _ => None,
        }
    }
}

impl Blames for RemoveError {
    fn call(&self) -> Option<&CallError> {
        match self {
            Self::Isolator(error) => error.call(),
            _ => None,
        }
    }
}
