//! What dash has not, or can't be compared with: extensions, the session, what must not happen.

use std::cell::RefCell;
use std::rc::Rc;

use cofferdam::kernel::Kernel as _;
use rstest::rstest;

use super::{Completeness, Session};
use crate::machine::{Console, Input, Machine, Stream};

/// A console with input, a script of the host's, and a memory.
#[derive(Clone, Default)]
struct Host {
    written: Rc<RefCell<(Vec<u8>, Vec<u8>)>>,
    input: Rc<RefCell<Vec<u8>>>,
}

impl Console for Host {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let mut written = self.written.borrow_mut();
        match stream {
            Stream::Output => written.0.extend_from_slice(bytes),
            Stream::Error => written.1.extend_from_slice(bytes),
        }
    }

    fn read(&mut self) -> Input {
        Input::all(self.input.take())
    }

    fn script(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        (path == b"./host.sh").then(|| b"echo from the host; from_host() { echo $1; }".to_vec())
    }
}

struct Trial {
    host: Host,
    machine: Machine,
    session: Session,
}

impl Trial {
    fn new() -> Self {
        let host = Host::default();
        let machine = Machine::new(Machine::boot(), Box::new(host.clone())).unwrap();
        let session = Session::new(&machine, b"sh", &[]).unwrap();
        Self { host, machine, session }
    }

    fn written(&self) -> (String, String) {
        let (output, error) = self.host.written.take();
        (String::from_utf8_lossy(&output).into_owned(), String::from_utf8_lossy(&error).into_owned())
    }

    fn chunk(&mut self, text: &str) -> (i32, String, String) {
        let status = self.session.run_chunk(text.as_bytes());
        let (output, error) = self.written();
        (status, output, error)
    }
}

fn run(text: &str) -> (i32, String, String) {
    let mut trial = Trial::new();
    let status = trial.session.run(text.as_bytes());
    trial.session.finish_jobs();
    let (output, error) = trial.written();
    (status, output, error)
}

fn prints(text: &str) -> String {
    let (status, output, error) = run(text);
    assert_eq!((status, error.as_str()), (0, ""), "{text}");
    output
}

#[rstest]
#[case("[[ abc == a* && -d / ]] && echo y", "y\n")]
#[case("[[ abc =~ ^a.c$ && ! abc =~ x ]] && echo y", "y\n")]
#[case("[[ 2 -lt 10 && b > a ]] && echo y", "y\n")]
#[case("x='a b'; [[ $x == 'a b' ]] && echo y", "y\n")]
#[case("(( x = 5, x > 3 )) && echo $x", "5\n")]
#[case("(( 0 )) || echo zero", "zero\n")]
#[case("function f { echo $1; }; f a; function g() { echo g; }; g", "a\ng\n")]
#[case("echo $'a\\tb\\x41\\101\\'q'", "a\tbAA'q\n")]
#[case("read x <<< \"a  b\"; echo \"$x\"", "a  b\n")]
#[case("y=hello; echo ${y/l/L} ${y//l/L} ${y/#h/H} ${y/%o/O} ${y/z/x}", "heLlo heLLo Hello hellO hello\n")]
#[case("y=hello; echo ${y:1:3} ${y:2} ${y: -2} ${y:1:-1}", "ell llo lo ell\n")]
#[case("y=hello; echo ${y^} ${y^^}; Y=HELLO; echo ${Y,} ${Y,,}", "Hello HELLO\nhELLO hello\n")]
#[case("set -- a b c; echo ${@:2} \"${@:1:2}\"", "b c a b\n")]
#[case("x=y; y=z; echo ${!x}", "z\n")]
#[case(
    "echo a &> /tmp/f; read x < /tmp/f; echo $x; { echo b; echo c >&2; } &>> /tmp/f; while read l; do echo $l; done < /tmp/f",
    "a\na\nb\nc\n"
)]
#[case("for ((i = 0; i < 3; i++)); do echo $i; done", "0\n1\n2\n")]
#[case("a=1; a+=2; echo $a; let 'b = a * 2'; echo $b", "12\n24\n")]
#[case("x=5; echo $((x++)) $((++x)) $((2 ** 10)) $((1, 2))", "5 7 1024 2\n")]
#[case("f() { declare x=1; echo $x; }; f; echo ${x-none}", "1\nnone\n")]
#[case("{ echo a >&2; echo b; } |& { read x; read y; echo $y $x; }", "b a\n")]
#[case("case a in a) echo 1;& b) echo 2;; esac; case a in a) echo 3;;& ?) echo 4;; esac", "1\n2\n3\n4\n")]
#[case("echo $LINENO\necho $LINENO", "1\n2\n")]
#[case("set -- a b; for x in; do echo $x; done; for x in\ndo echo $x; done; for x; do echo $x; done", "a\nb\n")]
fn extensions(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(prints(text), expected);
}

#[rstest]
#[case("echo <(echo a)", "sh: 1: process substitution is not simulated: use a pipe or a file\n")]
#[case("a=(1 2)", "sh: 1: arrays are not simulated\n")]
#[case("echo ${a[1]}", "sh: 1: arrays are not simulated\n")]
#[case("coproc cat", "sh: 1: coproc: coprocesses are not simulated\n")]
fn what_is_not_there_says_so(#[case] text: &str, #[case] message: &str) {
    assert_eq!(run(text), (2, String::new(), message.to_owned()));
}

#[test]
fn bytes_that_are_no_text_survive() {
    let mut trial = Trial::new();
    trial.session.run(b"x='a\xff\xc3\xa4'; echo \"$x\" ${#x}; case $x in a??*) echo y;; esac");
    assert_eq!(trial.host.written.take().0, b"a\xff\xc3\xa4 4\ny\n");
}

#[test]
fn jobs_are_listed_until_they_are_waited_for() {
    // In dash, whether a job has ended by then is a matter of luck.
    let expected = format!("{:<33}\n{:<33}\n1\n{:<33}\n", "[2] + Running", "[1] - Running", "[1] + Done");
    assert_eq!(prints("true & true & jobs; wait; echo 1; true & wait; jobs"), expected);
}

#[test]
fn aliases_of_commands() {
    assert_eq!(prints("alias hi='echo hello'\nhi there\nalias echo='echo x'\necho y"), "hello there\nx y\n");
}

#[test]
fn a_session_keeps_what_a_chunk_leaves() {
    let mut trial = Trial::new();
    assert_eq!(trial.chunk("x=1; f() { echo $x; }; cd /usr; false"), (1, String::new(), String::new()));
    assert_eq!(trial.chunk("f; pwd; echo $?"), (0, "1\n/usr\n0\n".to_owned(), String::new()));
    assert_eq!(trial.session.exited(), None);
    trial.chunk("trap 'echo bye' EXIT; exit 4");
    assert_eq!(trial.session.exited(), Some(4));
    assert_eq!(trial.chunk("echo never"), (4, String::new(), String::new()));
}

#[test]
fn an_error_does_not_end_an_interactive_shell() {
    let mut trial = Trial::new();
    trial.session.set_interactive();
    assert_eq!(trial.chunk("echo ${x?gone}; echo no"), (2, String::new(), "sh: 1: x: gone\n".to_owned()));
    assert_eq!(trial.chunk("fi"), (2, String::new(), "sh: 1: Syntax error: \"fi\" unexpected\n".to_owned()));
    assert_eq!(trial.chunk("echo $?"), (0, "2\n".to_owned(), String::new()));
    assert_eq!(trial.session.exited(), None);
}

#[rstest]
#[case("echo a", Completeness::Complete)]
#[case("for x in a", Completeness::Incomplete)]
#[case("echo 'a", Completeness::Incomplete)]
#[case("cat <<E\na\n", Completeness::Incomplete)]
#[case("cat <<E\na\nE\n", Completeness::Complete)]
#[case("echo a \\", Completeness::Incomplete)]
#[case("a | ", Completeness::Incomplete)]
#[case("f() {\n", Completeness::Incomplete)]
#[case("echo )", Completeness::Invalid)]
#[case("done", Completeness::Invalid)]
fn completeness(#[case] text: &str, #[case] expected: Completeness) {
    assert_eq!(Session::completeness(text.as_bytes()), expected);
}

#[test]
fn names_are_completed() {
    let mut trial = Trial::new();
    trial.chunk("tr_function() { :; }");
    let names = |prefix: &[u8]| {
        let names = trial.session.command_names(prefix);
        names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect::<Vec<_>>()
    };
    assert!(names(b"tr").iter().any(|name| name == "tr_function"));
    assert!(names(b"exp").contains(&"export".to_owned()));
    assert!(names(b"das").contains(&"dash".to_owned()));
    assert_eq!(trial.session.paths(b"/us"), [b"/usr/".to_vec()]);
    assert_eq!(trial.session.paths(b"/etc/pass"), [b"/etc/passwd".to_vec()]);
}

#[test]
fn scripts_of_the_host_are_found_where_the_machine_has_none() {
    assert_eq!(prints(". ./host.sh; from_host x; sh ./host.sh"), "from the host\nx\nfrom the host\n");
}

#[test]
fn input_is_that_of_the_console() {
    let mut trial = Trial::new();
    trial.host.input.borrow_mut().extend_from_slice(b"one\ntwo\n");
    trial.session.run(b"read x; sh -c 'read y; echo $y'; echo $x; read z || echo end");
    assert_eq!(trial.written().0, "two\none\nend\n");
}

#[test]
fn a_shell_that_reads_its_script_leaves_the_rest_to_its_commands() {
    assert_eq!(prints("sh <<'E'\nread x\ndata\necho $x\nE\n"), "data\n");
}

#[test]
fn a_script_without_an_interpreter_is_one_of_the_shell() {
    let mut trial = Trial::new();
    trial.chunk("echo 'echo $0 $1' > /tmp/plain; echo '#!/bin/sh -e' > /tmp/marked; echo 'echo $0 $1; false; echo no' >> /tmp/marked");
    assert_eq!(trial.chunk("/tmp/plain a").0, 126);
    let somebody = trial.machine.new_process().unwrap();
    for path in ["/tmp/plain", "/tmp/marked"] {
        let path = cofferdam::UnixPath::new(path);
        somebody.fchmodat(cofferdam::kernel::Fd::CWD, path, cofferdam::kernel::Mode(0o755)).unwrap();
    }
    assert_eq!(trial.chunk("/tmp/plain a"), (0, "/tmp/plain a\n".to_owned(), String::new()));
    assert_eq!(trial.chunk("PATH=/tmp; marked b"), (1, "/tmp/marked b\n".to_owned(), String::new()));
}

#[test]
fn a_trapped_signal_ends_a_wait() {
    let text = "trap 'echo usr1' USR1; { kill -USR1 $$; i=0; while [ $i -lt 9 ]; do i=$((i+1)); done; echo end; } & wait $!; \
                echo $?; wait $!; echo $?";
    assert_eq!(prints(text), "usr1\n138\nend\n0\n");
}

#[test]
fn what_waits_for_ever_is_ended() {
    let (status, output, error) = run("sh -c 'kill -STOP $$'; echo never");
    assert_eq!((status, output.as_str(), error.as_str()), (130, "", "every process waits for another one, for ever\n"));
}

#[test]
fn jobs_that_are_left_stay_processes() {
    let mut trial = Trial::new();
    assert_eq!(trial.session.run(b"{ read x; } < /dev/null & while :; do :; done & exit 3"), 3);
    trial.session.leave_jobs();
    let linux = trial.machine.snapshot();
    assert!(linux.tasks().filter(cofferdam_vfs_sim::TaskView::is_running).count() > 1);
}

#[rstest]
#[case(format!("{}true{}", "(".repeat(5000), ")".repeat(5000)))]
#[case(format!("{}true{}", "{ ".repeat(5000), "; }".repeat(5000)))]
#[case(format!("{}true{}", "if true; then ".repeat(5000), "; fi".repeat(5000)))]
#[case(format!("echo {}x{}", "$(echo ".repeat(5000), ")".repeat(5000)))]
#[case(format!("echo {}x{}", "\"$(echo ".repeat(5000), ")\"".repeat(5000)))]
#[case(format!("echo {}x{}", "${x:-".repeat(5000), "}".repeat(5000)))]
#[case(format!("echo $(({}1{}))", "(".repeat(5000), ")".repeat(5000)))]
#[case(format!("x='{}1'; echo $(($x))", "-".repeat(5000)))]
#[case(format!("x='1{}'; echo $(($x))", "+1".repeat(50_000)))]
#[case("f() { f; }; f".to_owned())]
#[case("f() { if true; then eval f; fi; }; f".to_owned())]
#[case("f() { x=$(f); }; f".to_owned())]
#[case("f() { (f); }; f".to_owned())]
#[case("f() { f | f; }; f() { f | true; }; f".to_owned())]
#[case("alias a=b b=a; a".to_owned())]
#[case("echo 99999999999999999999> /tmp/x".to_owned())]
#[case("echo ~99999999999999999999999".to_owned())]
#[case("trap 'kill -USR1 $$' USR1; kill -USR1 $$; echo end".to_owned())]
fn nothing_makes_it_fail(#[case] text: String) {
    // It ends, whatever it says.
    run(&text);
}

#[test]
fn functions_call_themselves_as_deep_as_the_stack_allows() {
    let text = "deep() { if [ $1 -gt 0 ]; then deep $(($1 - 1)); else echo end; fi; }; deep";
    assert_eq!(run(&format!("{text} 10")).1, "end\n");
    let error = "sh: 1: Maximum function recursion depth reached\n".to_owned();
    assert_eq!(run(&format!("{text} 500")), (2, String::new(), error));
    let levels = 1100;
    let run_deep = move || {
        let mut trial = Trial::new();
        trial.session.allow_depth(levels);
        trial.chunk(&format!("{text} 500")).1
    };
    let thread = std::thread::Builder::new().stack_size(levels * Session::STACK_PER_LEVEL + (1 << 20));
    assert_eq!(thread.spawn(run_deep).unwrap().join().unwrap(), "end\n");
}

#[test]
fn prose_is_not_nested() {
    let text = "# if for while case (\n".repeat(500) + &"echo \"if ( { for\" 'case (' >/dev/null\n".repeat(100);
    assert_eq!(prints(&text), "");
}

#[test]
fn processes_of_a_pipeline_work_at_the_same_time() {
    let text = "{ i=0; while echo $i; do i=$((i+1)); done; } | { read x; read y; echo $x $y; }";
    assert_eq!(prints(text), "0 1\n");
}

#[test]
fn what_was_redirected_around_many_redirections_is_restored() {
    let text = "{ i=0; while [ $i -lt 1000 ]; do i=$((i+1)); : > /tmp/a; done; echo inner; } > /tmp/b; echo outer; read x < /tmp/b; echo $x";
    assert_eq!(prints(text), "outer\ninner\n");
}

#[test]
fn large_here_documents_do_not_fit_into_a_pipe() {
    let line = "0123456789".repeat(10) + "\n";
    let text = format!("n=0; while read l; do n=$((n+1)); done <<E\n{}E\necho $n", line.repeat(1000));
    assert_eq!(prints(&text), "1000\n");
}

#[test]
fn no_prefix_of_a_script_makes_the_parser_fail() {
    let scripts = [
        "x=${y:-\"a $(case b in c) d;; (e|f) `g \\`h\\``;; esac) }\"}'q' $((1 + (2) << 3)) ~u/\\$ $'\\x41' 2>&1 >|f",
        "f() { cat <<-'E' <<F; } 3>&- <<< w &>> z\n\ta\nE\n$b\nF\nfor ((i=0;i<1;i++)); do [[ a =~ (b|c) ]]; done |& ! g &",
        "if a; then b; elif c; then d; else e; fi; while :; do break; done; until x; do y; done <z; a[1]=b c=(d e) f+=g",
    ];
    for script in scripts {
        for (end, _) in script.char_indices() {
            for suffix in ["", "\n", " )", "}", "\"", ";;", "<", "$("] {
                let text = [&script[..end], suffix].concat();
                Session::completeness(text.as_bytes());
            }
        }
    }
}
