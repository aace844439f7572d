//! What has failed, for people and for programs.

use std::error::Error;

use cofferdam::error::{CallError, Report};
use cofferdam::isolator::{
    CleanupError, CreateError, IsolatorError, PrepareError, RecoverError, RemoveError, UpdateError,
};
use cofferdam::locks::LockError;

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
    let of_isolator = |error: &'e IsolatorError| match error {
        IsolatorError::Call(call) => Some(call),
        _ => None,
    };
    let of_update = |error: &'e UpdateError| match error {
        UpdateError::Isolator(error) => of_isolator(error),
        _ => None,
    };
    let of_cleanup = |error: &'e CleanupError| match error {
        CleanupError::Isolator(error) => of_isolator(error),
        CleanupError::MountsLeft { errors, .. } => errors.first(),
        _ => None,
    };
    if let Some(error) = error.downcast_ref::<CallError>() {
        return Some(error);
    }
    if let Some(LockError::Call(call)) = error.downcast_ref() {
        return Some(call);
    }
    if let Some(error) = error.downcast_ref::<IsolatorError>() {
        return of_isolator(error);
    }
    if let Some(CreateError::Isolator(error)) = error.downcast_ref() {
        return of_isolator(error);
    }
    if let Some(error) = error.downcast_ref::<PrepareError>() {
        return match error {
            PrepareError::Isolator(error) => of_isolator(error),
            PrepareError::Update(error) => of_update(error),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<UpdateError>() {
        return of_update(error);
    }
    if let Some(error) = error.downcast_ref::<CleanupError>() {
        return of_cleanup(error);
    }
    if let Some(RecoverError { errors, .. }) = error.downcast_ref() {
        return errors.first().and_then(of_cleanup);
    }
    match error.downcast_ref() {
        Some(RemoveError::Isolator(error)) => of_isolator(error),
        _ => None,
    }
}
