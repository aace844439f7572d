//! What helps a person who types at a session: a prompt, the completion of words, help.

mod word;

use crate::Session;
use word::Word;

/// What the last word of a line can become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Where in the line that word begins.
    pub start: usize,
    /// Sorted.
    pub candidates: Vec<Candidate>,
}

/// One thing that a word can become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What is shown of it: of a path, the last part.
    pub shown: String,
    /// What is written in the place of the word, quoted as that is. If nothing else is possible, with what ends a word.
    pub replacement: String,
}

impl Session {
    /// What stands in front of what is typed: `simulated:/tmp# `.
    pub fn prompt(&self) -> String {
        let directory = self.variable("PWD").unwrap_or_default();
        format!("simulated:{}# ", String::from_utf8_lossy(&directory))
    }

    /// What the last word of a line can become: a command, or a path.
    pub fn complete(&self, line: &str) -> Completion {
        let word = Word::last_of(line);
        let value = word.value();
        let names = if word.is_command && !value.contains('/') {
            self.command_names(value.as_bytes())
        } else {
            self.paths(value.as_bytes())
        };
        let is_only = names.len() == 1;
        let candidates = names.iter().map(|name| candidate(word, name, is_only)).collect();
        Completion { start: word.start, candidates }
    }

    /// What there is, from what there is.
    pub fn help(&self) -> String {
        let names: Vec<String> =
            self.command_names(b"").iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        let mut text = String::from(
            "The language is that of sh. Commands: builtins of the shell, and programs on the simulated disk:\n\n",
        );
        let width = names.iter().map(String::len).max().unwrap_or(0) + 2;
        for row in names.chunks((80 / width).max(1)) {
            let row: Vec<String> = row.iter().map(|name| format!("{name:width$}")).collect();
            text.push_str("  ");
            text.push_str(row.concat().trim_end());
            text.push('\n');
        }
        text.push_str(
            "\nTry `findmnt -o TARGET,PROPAGATION`, `mount --bind /srv /mnt`, `unshare -m`, `cat /proc/self/mountinfo`.\n",
        );
        text
    }
}

fn candidate(word: Word<'_>, name: &[u8], is_only: bool) -> Candidate {
    let name = String::from_utf8_lossy(name);
    let shown = name.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let is_directory = name.ends_with('/');
    let slash = if is_directory { "/" } else { "" };
    // The path can go on behind a directory.
    let end = if is_only && !is_directory { word.end() } else { String::new() };
    Candidate { shown: format!("{shown}{slash}"), replacement: word.quoted(&name) + &end }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use rstest::rstest;

    use crate::testing::Trial;
    use crate::{Candidate, Session};

    #[rstest]
    #[case("findm", 0, &[("findmnt", "findmnt ")])]
    #[case("ls /et", 3, &[("etc/", "/etc/")])]
    #[case("cat '/etc/passw", 5, &[("passwd", "/etc/passwd' ")])]
    #[case("ls /nowhere/", 3, &[])]
    fn words_become_commands_and_paths(#[case] line: &str, #[case] start: usize, #[case] expected: &[(&str, &str)]) {
        let trial = Trial::new();
        let completion = Session::new(&trial.machine, b"sh", &[]).unwrap().complete(line);
        let candidate = |(shown, replacement): &(&str, &str)| Candidate {
            shown: (*shown).into(),
            replacement: (*replacement).into(),
        };
        assert_eq!((completion.start, completion.candidates), (start, expected.iter().map(candidate).collect()));
    }

    #[test]
    fn the_prompt_and_the_help_tell_what_there_is() {
        let trial = Trial::new();
        let mut session = Session::new(&trial.machine, b"sh", &[]).unwrap();
        session.run_chunk(b"cd /etc; greet() { :; }");
        assert_eq!(session.prompt(), "simulated:/etc# ");
        assert!(session.help().contains(" greet  ") && session.help().contains(" findmnt  "));
    }
}
