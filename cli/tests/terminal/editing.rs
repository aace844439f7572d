//! Lines: history, completion, several lines of one command, mistakes.

use crate::support::{CTRL_D, PROMPT, Terminal, UP};

#[test]
fn earlier_lines_come_back_in_later_sessions_too() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(home.path(), &[]);
    terminal.line("echo fir''st");
    terminal.wait_for("first");
    terminal.wait_for(PROMPT);
    // Without a proper end.
    drop(terminal);
    let mut terminal = Terminal::start(home.path(), &[]);
    terminal.press(UP);
    terminal.line("");
    terminal.wait_for("\r\nfirst");
    terminal.wait_for(PROMPT);
    terminal.press(CTRL_D);
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn the_tabulator_completes_commands_and_paths() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(home.path(), &[]);
    // A directory can be followed by more of the path, all else is a word.
    terminal.line("readl\t-f /et\tpassw\t/us\t");
    terminal.wait_for("\r\n/etc/passwd\r\n/usr\r\n");
    terminal.wait_for(PROMPT);
    // Names are quoted as the word is.
    terminal.line("mkdir '/root/a b'; echo x >'/root/a b/c'");
    terminal.wait_for(PROMPT);
    terminal.line("cat ~/a\t\t '/root/a\t\t");
    terminal.wait_for("\r\nx\r\nx\r\n");
    terminal.wait_for(PROMPT);
    terminal.press("mou\t\t");
    let list = terminal.wait_for("mountpoint");
    assert!(list.contains("mount "), "{list:?}");
}

#[test]
fn a_command_can_have_several_lines() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(home.path(), &[]);
    for line in ["if true", "then echo 'a", "b'", "fi"] {
        terminal.line(line);
    }
    terminal.wait_for("\r\na\r\nb\r\n");
    terminal.wait_for(PROMPT);
    for line in ["cat <<END", "in a $((1 + 1)) document", "END"] {
        terminal.line(line);
    }
    terminal.wait_for("\r\nin a 2 document\r\n");
}

#[test]
fn lines_that_are_typed_ahead_are_not_lost() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(home.path(), &[]);
    terminal.press("echo fir''st\recho sec''ond\recho thi''rd\r");
    for word in ["first", "second", "third"] {
        terminal.wait_for(word);
    }
}

#[test]
fn a_mistake_is_told_and_the_shell_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(home.path(), &[]);
    for (command, message) in [
        ("nosuch", "sh: 1: nosuch: not found"),
        ("ls --nosuch", "ls: unrecognized option '--nosuch'"),
        ("done", "sh: 1: Syntax error: \"done\" unexpected"),
        ("echo ${}", "Bad substitution"),
        ("cd /nosuch", "sh: 1: cd: can't cd to /nosuch"),
    ] {
        terminal.line(command);
        terminal.wait_for(message);
        terminal.wait_for(PROMPT);
    }
    terminal.line("false");
    terminal.wait_for(PROMPT);
    // An empty line is no command.
    terminal.line("");
    terminal.wait_for(PROMPT);
    terminal.line("exit");
    assert_eq!(terminal.end().code(), Some(1));
}

#[test]
fn what_is_no_text_is_told_and_the_shell_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(home.path(), &[]);
    terminal.press_bytes(b"echo \xff\r");
    terminal.wait_for("must be UTF-8");
    terminal.wait_for(PROMPT);
    terminal.line("exit 3");
    assert_eq!(terminal.end().code(), Some(3));
}

#[test]
fn help_names_what_there_is() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(home.path(), &[]);
    terminal.line("help");
    let text = terminal.wait_for("Ctrl-D ends.");
    for word in ["findmnt", "unshare", "readonly", "Ctrl-C"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}
