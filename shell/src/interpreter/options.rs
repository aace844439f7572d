//! The options of `set`, and of sh(1).

/// Letters and names, in the order of `set -o`.
const OPTIONS: &[(u8, &str)] = &[
    (b'e', "errexit"),
    (b'f', "noglob"),
    (b'I', "ignoreeof"),
    (b'i', "interactive"),
    (b'm', "monitor"),
    (b'n', "noexec"),
    (b's', "stdin"),
    (b'x', "xtrace"),
    (b'v', "verbose"),
    (b'V', "vi"),
    (b'E', "emacs"),
    (b'C', "noclobber"),
    (b'a', "allexport"),
    (b'b', "notify"),
    (b'u', "nounset"),
    (b'p', "privileged"),
    (0, "nolog"),
    (0, "debug"),
];

/// Which options are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    set: Vec<&'static str>,
}

impl Options {
    /// Whether the option of a letter is set.
    pub(super) fn has(&self, letter: u8) -> bool {
        OPTIONS.iter().any(|(known, name)| *known == letter && self.set.contains(name))
    }

    /// Sets or clears the option of a letter. False if there is none.
    pub(super) fn set(&mut self, letter: u8, is_set: bool) -> bool {
        let option = OPTIONS.iter().find(|(known, _)| *known == letter && letter != 0);
        option.is_some_and(|(_, name)| self.set_named(name.as_bytes(), is_set))
    }

    /// Sets or clears the option of a name. False if there is none.
    pub(super) fn set_named(&mut self, name: &[u8], is_set: bool) -> bool {
        let Some((_, name)) = OPTIONS.iter().find(|(_, known)| known.as_bytes() == name) else { return false };
        self.set.retain(|set| set != name);
        if is_set {
            self.set.push(name);
        }
        true
    }

    /// The letters of those that are set, the last first as in dash: `$-`.
    pub(super) fn letters(&self) -> Vec<u8> {
        let set = OPTIONS.iter().rev().filter(|(letter, name)| *letter != 0 && self.set.contains(name));
        set.map(|(letter, _)| *letter).collect()
    }

    /// What `set -o` prints.
    pub(super) fn table(&self) -> String {
        let line =
            |(_, name): &(u8, &str)| format!("{name:<16}{}\n", if self.set.contains(name) { "on" } else { "off" });
        ["Current option settings\n".to_owned()].into_iter().chain(OPTIONS.iter().map(line)).collect()
    }

    /// What `set +o` prints: commands that set the options as they are.
    pub(super) fn commands(&self) -> String {
        let line =
            |(_, name): &(u8, &str)| format!("set {}o {name}\n", if self.set.contains(name) { '-' } else { '+' });
        OPTIONS.iter().map(line).collect()
    }
}
