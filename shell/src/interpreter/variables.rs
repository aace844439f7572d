//! Variables: their values, what is exported or read-only, what is local to a function.

use std::collections::BTreeMap;

/// A variable. One without a value can be exported or read-only all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) value: Option<Vec<u8>>,
    pub(super) is_exported: bool,
    pub(super) is_readonly: bool,
}

/// A variable can't be set, because it is read-only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: is read only", String::from_utf8_lossy(.0))]
pub(super) struct ReadOnly(pub(super) Vec<u8>);

impl ReadOnly {
    /// As dash says it.
    pub(super) fn message(&self) -> Vec<u8> {
        [&self.0[..], b": is read only"].concat()
    }
}

/// All variables of a shell.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables {
    all: BTreeMap<Vec<u8>, Variable>,
    /// What the variables that are local to the functions at work were before.
    scopes: Vec<BTreeMap<Vec<u8>, Option<Variable>>>,
}

/// Whether a word is the name of a variable.
pub(super) fn is_name(word: &[u8]) -> bool {
    word.first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_')
        && word.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

impl Variables {
    pub(super) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.all.get(name)?.value.as_deref()
    }

    pub(super) fn variable(&self, name: &[u8]) -> Option<&Variable> {
        self.all.get(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &Variable)> {
        self.all.iter().map(|(name, variable)| (&name[..], variable))
    }

    /// Sets a variable.
    ///
    /// # Errors
    ///
    /// It is read-only.
    pub(super) fn set(&mut self, name: &[u8], value: impl Into<Vec<u8>>, is_exported: bool) -> Result<(), ReadOnly> {
        let variable = self.writable(name)?;
        variable.value = Some(value.into());
        variable.is_exported |= is_exported;
        Ok(())
    }

    /// Sets one of the shell's own variables; one that is read-only stays as it is.
    pub(super) fn set_own(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        let _ = self.set(name.as_bytes(), value, false);
    }

    /// Sets whether a variable is exported.
    pub(super) fn export(&mut self, name: &[u8]) {
        self.all.entry(name.to_vec()).or_default().is_exported = true;
    }

    pub(super) fn make_readonly(&mut self, name: &[u8]) {
        self.all.entry(name.to_vec()).or_default().is_readonly = true;
    }

    /// Forgets a variable.
    ///
    /// # Errors
    ///
    /// It is read-only.
    pub(super) fn unset(&mut self, name: &[u8]) -> Result<(), ReadOnly> {
        if self.all.contains_key(name) {
            self.writable(name)?;
            self.all.remove(name);
        }
        Ok(())
    }

    /// A variable as it was is put in the place of what it is now, whether or not it is read-only.
    pub(super) fn restore(&mut self, name: &[u8], variable: Option<Variable>) {
        match variable {
            Some(variable) => drop(self.all.insert(name.to_vec(), variable)),
            None => drop(self.all.remove(name)),
        }
    }

    fn writable(&mut self, name: &[u8]) -> Result<&mut Variable, ReadOnly> {
        let variable = self.all.entry(name.to_vec()).or_default();
        if variable.is_readonly { Err(ReadOnly(name.to_vec())) } else { Ok(variable) }
    }

    /// A function begins.
    pub(super) fn enter(&mut self) {
        self.scopes.push(BTreeMap::new());
    }

    /// A function ends: what was local to it is as before.
    pub(super) fn leave(&mut self) {
        for (name, variable) in self.scopes.pop().unwrap_or_default() {
            self.restore(&name, variable);
        }
    }

    /// Makes a variable local to the function at work; it keeps its value, as in dash. False outside functions.
    pub(super) fn make_local(&mut self, name: &[u8]) -> bool {
        let Some(scope) = self.scopes.last_mut() else { return false };
        let variable = self.all.get(name).cloned();
        scope.entry(name.to_vec()).or_insert(variable);
        true
    }

    /// The environment of programs, as `NAME=value`.
    pub(super) fn environment(&self) -> Vec<Vec<u8>> {
        let exported = self.all.iter().filter(|(_, variable)| variable.is_exported);
        exported.filter_map(|(name, variable)| Some([name, &b"="[..], variable.value.as_ref()?].concat())).collect()
    }

    /// Takes an environment over: what is no name of a variable is left out, as in dash.
    pub(super) fn import(&mut self, environment: &[Vec<u8>]) {
        for entry in environment {
            let mut parts = entry.splitn(2, |byte| *byte == b'=');
            if let (Some(name), Some(value)) = (parts.next(), parts.next())
                && is_name(name)
            {
                // Nothing is read-only yet.
                let _ = self.set(name, value, true);
            }
        }
    }
}

/// A value in single quotes, as `set` and `export -p` print it.
pub(super) fn quoted(value: &[u8]) -> Vec<u8> {
    if value.is_empty() {
        return b"''".to_vec();
    }
    let mut text = Vec::new();
    for part in value.chunk_by(|left, right| (*left == b'\'') == (*right == b'\'')) {
        let quote = if part.starts_with(b"'") { b'"' } else { b'\'' };
        text.push(quote);
        text.extend_from_slice(part);
        text.push(quote);
    }
    text
}
