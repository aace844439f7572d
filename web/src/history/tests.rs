use rstest::rstest;

use super::*;
use crate::{Piece, Voice};

fn command(text: &str) -> Command {
    Command { text: text.to_owned(), ..Command::default() }
}

fn typed(history: &mut History, commands: &[&str]) -> Moment {
    commands.iter().map(|text| history.execute(command(text)).unwrap()).last().unwrap()
}

fn printed(moment: &Moment) -> String {
    moment.pieces.iter().map(|piece| &*piece.text).collect()
}

fn everything_from(history: &History) -> (Moment, String) {
    (history.moment().unwrap(), history.saved().unwrap())
}

const SHARED: [&str; 4] = [
    "mkdir -p /a /b",
    "mount -t tmpfs -o mode=755 one /a",
    "mount --bind /a /b",
    "mkdir /a/x && mount -t tmpfs two /a/x",
];

#[test]
fn a_command_has_output_a_prompt_and_mounts() {
    let mut history = History::new().unwrap();
    let moment = history.moment().unwrap();
    assert_eq!((moment.number, &*moment.prompt, moment.state), (0, "simulated:/# ", State::Ready));
    assert!(moment.pieces.is_empty() && moment.changes.summary.is_empty());
    let moment = typed(&mut history, &["cd /tmp; x=3", "echo $x; ls nowhere"]);
    assert_eq!((moment.number, &*moment.prompt, moment.status), (2, "simulated:/tmp# ", 2));
    let [Piece { voice: Voice::Output, text }, Piece { voice: Voice::Error, text: error }] = &moment.pieces[..] else {
        panic!("{:?}", moment.pieces);
    };
    assert_eq!((&**text, error.contains("No such file")), ("3\n", true));
}

#[test]
fn the_picture_shows_what_the_session_has_made() {
    let mut history = History::new().unwrap();
    let start = history.moment().unwrap();
    assert!(!start.pictures.session.svg.contains(">/proc<") && start.pictures.all.svg.contains(">/proc<"));
    assert_eq!(start.pictures.all.left_out, 0);
    let moment = typed(&mut history, &SHARED);
    assert_eq!(moment.changes.summary, "Mounted: /a/x, /b/x.");
    for picture in [&moment.pictures.session, &moment.pictures.all] {
        for mountpoint in [">/a<", ">/b<", ">/a/x<", ">/b/x<"] {
            assert!(picture.svg.contains(mountpoint), "{mountpoint}: {}", picture.svg);
        }
        assert_eq!(picture.trees.len(), 1);
        assert!(picture.trees[0].text.contains("with /b/x"), "{}", picture.trees[0].text);
    }
    let moment = typed(&mut history, &["umount /b/x", "mount --make-private /tmp"]);
    assert_eq!(moment.changes.summary, "Changed: /tmp.");
    assert!(moment.pictures.session.svg.contains(">/tmp<") && !moment.pictures.session.svg.contains(">/b/x<"));
}

#[test]
fn each_namespace_is_in_the_picture() {
    let mut history = History::new().unwrap();
    let moment = typed(&mut history, &["unshare -m --propagation slave sleep 1000 &"]);
    assert!(moment.changes.summary.starts_with("New mount namespace sleep["), "{:?}", moment.changes);
    let names: Vec<_> = moment.pictures.session.trees.iter().map(|tree| tree.name.split('[').next().unwrap()).collect();
    assert_eq!(names, ["this shell", "sleep"]);
    let moment = typed(&mut history, &["kill $!", "wait"]);
    assert_eq!(moment.pictures.session.trees.len(), 1);
    let moment =
        typed(&mut history, &["touch /run/kept", "mount --make-private /run", "unshare --mount=/run/kept true"]);
    assert!(moment.pictures.session.trees[1].name.starts_with("mnt:["), "{:?}", moment.pictures.session.trees);
}

#[test]
fn of_a_container_with_a_root_of_its_own_all_is_shown() {
    let mut history = History::new().unwrap();
    let moment = typed(
        &mut history,
        &[
            "unshare -m --propagation slave sleep 1000 &",
            "enter() { nsenter -m -t $! -- \"$@\"; }",
            "enter mount --bind /srv/busybox /srv/busybox",
            "enter mount -t proc proc /srv/busybox/proc",
            "enter sh -c 'cd /srv/busybox && pivot_root . mnt && umount -l /mnt'",
        ],
    );
    assert_eq!(moment.status, 0, "{moment:?}");
    let [_, container] = &moment.pictures.session.trees[..] else { panic!("{moment:?}") };
    let targets: Vec<_> = container.text.lines().skip(1).map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(targets, ["/", "└─/proc"]);
}

#[test]
fn going_back_is_as_if_nothing_had_come_later() {
    let mut history = History::new().unwrap();
    typed(&mut history, &["cd /tmp; x=1; f() { echo f$x; }", "unshare -m sleep 1000 &"]);
    let then = everything_from(&history);
    typed(&mut history, &["x=2; cd /; kill $!", "umount -l /tmp", "exit 3"]);
    assert_eq!(history.moment().unwrap().state, State::Exited);
    history.go_back(2).unwrap();
    assert_eq!(everything_from(&history), then);
    let moment = typed(&mut history, &["f; pwd; kill -0 $! && echo alive"]);
    assert_eq!(printed(&moment), "f1\n/tmp\nalive\n");
    assert_eq!(moment.number, 3);
    assert!(matches!(history.go_back(4), Err(HistoryError::NoCommand { number: 4, there: 3 })));
}

#[test]
fn a_saved_session_is_the_same_session() {
    let table = "1 0 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n2 1 0:7 / /data rw shared:7 - tmpfs mine rw\n";
    let mut history = History::with_mountinfo(table.to_owned()).unwrap();
    typed(&mut history, &["mkdir /copy; mount --bind /data /copy", "cat"]);
    history.input(Input::Line("hello".to_owned())).unwrap();
    history.input(Input::End).unwrap();
    history.execute(Command { interrupt_after: Some(50), ..command("while :; do :; done") }).unwrap();
    let (restored, moments) = History::restore(&history.saved().unwrap()).unwrap();
    assert_eq!(everything_from(&restored), everything_from(&history));
    assert_eq!(moments.iter().map(|moment| moment.number).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(printed(&moments[2]), "hello\nhello\n");
    assert!(moments[1].pictures.all.svg.contains(">/copy<"));
    assert_eq!(moments[3].status, 130);
}

#[rstest]
#[case("{", "this is no session")]
#[case(r#"{"version":2,"commands":[]}"#, "the format 2")]
#[case(r#"{"version":1,"commands":[],"mountinfo":"x"}"#, "no mount table")]
#[case(r#"{"version":1,"commands":[{"text":"ls","more":1}]}"#, "unknown field")]
fn what_is_no_session_is_refused(#[case] saved: &str, #[case] expected: &str) {
    let error = History::restore(saved).map(drop).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_shell_in_the_shell_is_typed_into() {
    let mut history = History::new().unwrap();
    let moment = typed(&mut history, &["x=outside", "unshare -m; echo $x $?"]);
    assert_eq!((moment.state, moment.number), (State::Waiting, 2));
    assert!(printed(&moment).ends_with("# "), "{:?}", moment.pieces);
    assert!(matches!(history.execute(command("ls")), Err(HistoryError::Waiting)));
    let moment = history.input(Input::Line("mount -t tmpfs inside /mnt".to_owned())).unwrap();
    assert_eq!((moment.state, moment.number), (State::Waiting, 2));
    assert!(moment.pictures.session.svg.contains(">/mnt<"), "{}", moment.pictures.session.svg);
    let moment = history.input(Input::Line("exit 4".to_owned())).unwrap();
    assert_eq!((moment.state, moment.number), (State::Ready, 2));
    assert!(printed(&moment).ends_with("# exit 4\noutside 4\n"), "{}", printed(&moment));
    assert!(!moment.pictures.session.svg.contains(">/mnt<"));
    assert!(matches!(history.input(Input::End), Err(HistoryError::NotWaiting)));
}

#[rstest]
#[case("while :; do :; done")]
#[case("yes >/dev/null")]
#[case("cat /dev/zero >/dev/null")]
#[case("yes")]
fn what_would_never_end_is_interrupted(#[case] text: &str) {
    let mut history = History::new().unwrap();
    history.execute(command("x=kept")).unwrap();
    let moment = history.execute(Command { interrupt_after: Some(5000), ..command(text) }).unwrap();
    assert_eq!((moment.status, moment.state), (130, State::Ready));
    assert_eq!(printed(&typed(&mut history, &["echo $x"])), "kept\n");
}

#[test]
fn ctrl_c_ends_what_waits_for_input() {
    let mut history = History::new().unwrap();
    assert_eq!(typed(&mut history, &["cat; echo never"]).state, State::Waiting);
    let moment = history.input(Input::Interrupt).unwrap();
    assert_eq!((moment.status, moment.state, printed(&moment)), (130, State::Ready, "^C\n".to_owned()));
}

#[test]
fn too_much_output_ends_a_command() {
    let mut history = History::new().unwrap();
    let moment = typed(&mut history, &["yes"]);
    assert_eq!((moment.status, moment.state), (130, State::Ready));
    assert!(printed(&moment).len() < 300_000 && printed(&moment).contains("interrupted, as by Ctrl-C"));
}

#[test]
fn what_is_nested_too_deep_is_an_error() {
    let mut history = History::new().unwrap();
    let moment = typed(&mut history, &["f() { f; }; f", "echo $?"]);
    assert_eq!((printed(&moment), moment.state), ("2\n".to_owned(), State::Ready));
}

#[test]
fn lines_are_completed_and_continued() {
    let mut history = History::new().unwrap();
    typed(&mut history, &["mkdir /tmp/one /tmp/other"]);
    let completed = history.complete("ls /tmp/o");
    assert_eq!((&*completed.line, completed.candidates), ("ls /tmp/o", vec!["one/".to_owned(), "other/".to_owned()]));
    assert_eq!(history.complete("findmn").line, "findmnt ");
    assert_eq!(history.complete("ls /nowhere/x").line, "ls /nowhere/x");
    assert!(History::is_incomplete("for x in 1 2; do") && !History::is_incomplete("ls"));
}

#[test]
fn help_tells_what_there_is() {
    let mut history = History::new().unwrap();
    let help = printed(&typed(&mut history, &["help"]));
    assert!(help.contains(" findmnt ") && help.contains("Ctrl-L"), "{help}");
}
