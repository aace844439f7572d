//! A person types, and presses Ctrl-C while something runs.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Fd, Kernel as _};
use cofferdam_vfs_sim::Process;
use rstest::rstest;

use crate::interpreter::Session;
use crate::machine::{Console, Input, Machine, Stream};

/// How often somebody is asked about Ctrl-C before it is pressed, if nobody reads.
const PATIENCE: usize = 500;

/// What somebody types, and what is shown.
#[derive(Default)]
struct Desk {
    typed: VecDeque<Input>,
    is_interrupted: bool,
    asked: usize,
    shown: Vec<u8>,
}

/// Somebody who presses Ctrl-C when it takes too long.
#[derive(Clone, Default)]
struct Person(Rc<RefCell<Desk>>);

impl Console for Person {
    fn write(&mut self, _: Stream, bytes: &[u8]) {
        self.0.borrow_mut().shown.extend_from_slice(bytes);
    }

    fn read(&mut self) -> Input {
        let mut desk = self.0.borrow_mut();
        let input = desk.typed.pop_front().unwrap_or(Input::Interrupt);
        desk.is_interrupted |= input == Input::Interrupt;
        input
    }

    fn is_terminal(&self) -> bool {
        true
    }

    fn take_interrupt(&mut self) -> bool {
        let mut desk = self.0.borrow_mut();
        desk.asked += 1;
        let is_interrupted = std::mem::take(&mut desk.is_interrupted) || desk.asked > PATIENCE;
        if is_interrupted {
            desk.asked = 0;
        }
        is_interrupted
    }
}

struct Trial {
    person: Person,
    machine: Machine,
    session: Session,
}

impl Trial {
    fn new() -> Self {
        let person = Person::default();
        let machine = Machine::new(Machine::boot(), Box::new(person.clone())).unwrap();
        let mut session = Session::new(&machine, b"sh", &[]).unwrap();
        session.set_interactive();
        Self { person, machine, session }
    }

    /// What is shown when this is executed, while this is typed.
    fn shown(&mut self, text: &str, typed: &[Input]) -> String {
        {
            let mut desk = self.person.0.borrow_mut();
            desk.typed = typed.iter().cloned().collect();
            desk.asked = 0;
        }
        self.session.run_chunk(text.as_bytes());
        String::from_utf8(std::mem::take(&mut self.person.0.borrow_mut().shown)).unwrap()
    }
}

fn line(text: &str) -> Input {
    Input::Bytes(text.as_bytes().to_vec())
}

/// What is shown is the end of the line on which the terminal has shown `^C`.
#[rstest]
#[case::a_loop("while :; do :; done; echo never")]
#[case::a_list("sleep 1; cat && echo never || echo never; echo never")]
#[case::a_function("f() { local y=1; while :; do :; done; }; f a b; echo never")]
#[case::a_condition("if cat; then echo never; else echo never; fi")]
#[case::a_program_that_never_waits("cat /dev/zero > /dev/null; echo never")]
#[case::a_pipeline("yes | cat > /dev/null; echo never")]
#[case::a_subshell("(trap 'exit 3' TERM; while :; do :; done); echo never")]
#[case::a_substitution("y=$(cat; echo never); echo never")]
#[case::reading("read y; echo never")]
#[case::a_redirection("{ cat; } > /tmp/file; echo never")]
#[case::a_fifo("mkfifo /tmp/fifo; exec 9< /tmp/fifo; echo never")]
#[case::waiting("while :; do :; done & wait; echo never")]
#[case::a_trap_of_another_signal("trap 'while :; do :; done' USR1; kill -USR1 $$; :; echo never")]
#[case::itself("kill -INT $$; echo never")]
#[case::the_end_of_a_child_by_it("sh -c 'kill -INT $$'; echo never")]
#[case::a_builtin_of_another_text("eval 'while :; do :; done'; echo never")]
fn an_interrupt_gives_up_what_was_typed_and_nothing_else(#[case] text: &str) {
    let mut trial = Trial::new();
    assert_eq!(trial.shown(&format!("x=1; mkdir /kept; {text}"), &[]), "\n");
    assert_eq!(trial.session.exited(), None);
    // Nothing of what was at work is left of the shell's state.
    assert_eq!(trial.shown("echo $? $# $x$y; ls -d /kept; ls /proc/$$/fd", &[]), "130 0 1\n/kept\n0\n1\n2\n");
}

/// Who takes no notice of it, or in whose place commands are executed, goes on.
#[rstest]
#[case::ignored("trap '' INT; read x; echo $x", "a\n")]
#[case::ignored_by_a_child("trap '' INT; cat; echo $?", "a\n0\n")]
#[case::trapped_by_the_shell("trap 'echo trapped' INT; read x; read x; echo $x", "trapped\na\n")]
#[case::trapped_by_a_child("sh -c 'trap \"exit 5\" INT; while :; do :; done'; echo $?", "5\n")]
#[case::the_trap_of_the_shell_after_a_child("trap 'echo trapped' INT; cat; echo $?", "trapped\n130\n")]
fn an_interrupt_can_be_trapped(#[case] text: &str, #[case] expected: &str) {
    let mut trial = Trial::new();
    assert_eq!(trial.shown(text, &[Input::Interrupt, line("a\n"), Input::Pause]), expected);
}

#[test]
fn a_trap_that_is_reset_leaves_the_shell_as_it_was() {
    let mut trial = Trial::new();
    assert_eq!(trial.shown("trap 'echo trapped' INT; trap - INT; cat; echo never", &[]), "\n");
    assert_eq!(trial.session.exited(), None);
}

#[test]
fn in_front_of_the_prompt_it_gives_the_line_up() {
    let mut trial = Trial::new();
    trial.session.interrupt();
    assert_eq!((trial.session.status(), trial.session.exited()), (130, None));
    assert_eq!(trial.shown("trap 'echo trapped' INT", &[]), "");
    trial.session.interrupt();
    assert_eq!(trial.shown("", &[]), "trapped\n");
}

#[test]
fn an_empty_line_leaves_the_status() {
    let mut trial = Trial::new();
    assert_eq!(trial.shown("false", &[]) + &trial.shown("\n", &[]) + &trial.shown("echo $?", &[]), "1\n");
}

#[test]
fn an_interrupt_that_came_too_late_is_not_for_the_next_command() {
    let mut trial = Trial::new();
    trial.person.0.borrow_mut().is_interrupted = true;
    assert_eq!(trial.session.run_chunk(b"true; exit 3"), 3);
}

/// Whenever Ctrl-C is noticed: also when the program has ended by then, and has taken no care of it.
#[test]
fn an_interrupt_is_not_lost_between_a_program_and_the_next_command() {
    let mut outcomes = Vec::new();
    for turns in 1..12 {
        let mut trial = Trial::new();
        // That somebody asks so often is taken for Ctrl-C.
        let asked = PATIENCE - turns;
        trial.person.0.borrow_mut().asked = asked;
        trial.session.run_chunk(b"mkdir /made; echo $((6 * 7))");
        let was_noticed = trial.person.0.borrow().asked < asked;
        let shown = trial.shown("echo status=$?; ls -d /made 2>/dev/null", &[]);
        let (went_on, was_made) = (shown.contains("42"), shown.contains("/made"));
        let status = if was_noticed { "status=130\n" } else { "status=0\n" };
        assert!(shown.contains(status), "after {turns} turns: {shown:?}");
        outcomes.push((went_on, was_made));
    }
    // Before the program was at work, between it and the next command, and too late.
    for outcome in [(false, false), (false, true), (true, true)] {
        assert!(outcomes.contains(&outcome), "{outcomes:?}");
    }
}

#[test]
fn the_end_of_a_file_is_for_who_reads_it() {
    let mut trial = Trial::new();
    let typed = [line("a\n"), Input::Pause, line("b\n"), Input::Pause];
    assert_eq!(trial.shown("cat; echo --; cat; read x || echo end", &typed[..]), "a\n--\nb\n\n");
    let typed = [line("a\n"), Input::Pause, Input::Pause];
    assert_eq!(trial.shown("cat; read x || echo end", &typed), "a\nend\n");
}

/// What was typed for a command that is given up is not for the next one.
#[test]
fn an_interrupt_discards_what_nobody_has_read() {
    let mut trial = Trial::new();
    assert_eq!(trial.shown("dd bs=1 count=1 status=none; while :; do :; done", &[line("abc\n")]), "a\n");
    assert_eq!(trial.shown("cat", &[line("d\n"), Input::Pause]), "d\n");
}

#[test]
fn a_shell_in_the_shell_is_one_for_persons() {
    let mut trial = Trial::new();
    let typed = [
        line("echo a; nosuch\n"),
        line("cat; echo never\n"),
        Input::Interrupt,
        line("echo $?; if true\n"),
        line("then echo b; fi\n"),
        line("if true\n"),
        Input::Pause,
        line("exit 3\n"),
    ];
    let expected = "# a\nsh: 1: nosuch: not found\n# \n# > 130\nb\n# > \
                    sh: 6: Syntax error: end of file unexpected (expecting \"then\")\n# ";
    assert_eq!(trial.shown("sh", &typed), expected);
    assert_eq!(trial.session.status(), 3);
    // But not if it reads something else.
    assert_eq!(trial.shown("echo 'echo $-; exit 4' | sh; echo $?", &[]), "s\n4\n".replace("s\n", "\n"));
}

#[test]
fn the_machine_can_be_left_while_something_runs_in_the_background() {
    let mut trial = Trial::new();
    assert_eq!(trial.shown("while :; do :; done & exit 0", &[]), "");
    trial.session.finish_jobs();
    trial.machine.shut_down();
}

#[rstest]
#[case::a_program("cat; touch /tmp/never")]
#[case::a_loop_of_programs("while :; do cat; touch /tmp/never; done")]
#[case::the_shell_itself("read line; touch /tmp/never")]
#[case::what_ignores_interrupts("trap '' INT; cat; touch /tmp/never")]
#[case::a_pipeline("cat | cat; touch /tmp/never")]
fn nobody_is_there_any_more(#[case] text: &str) {
    let mut trial = Trial::new();
    trial.shown("touch /tmp/before", &[]);
    trial.shown(text, &[Input::Abandon]);
    assert!(trial.session.exited().is_some());
    let linux = trial.machine.snapshot();
    let look = Process::init(linux);
    let is_there = |path: &str| look.statx(Fd::CWD, UnixPath::new(path), AtFlags::empty()).is_ok();
    assert!(is_there("/tmp/before") && !is_there("/tmp/never"));
}

#[test]
fn what_was_just_started_is_let_go_on() {
    let mut trial = Trial::new();
    trial.shown("{ touch /tmp/started; sleep 1000; } &", &[]);
    trial.session.leave_jobs();
    assert!(trial.session.paths(b"/tmp/star").contains(&b"/tmp/started".to_vec()));
}
