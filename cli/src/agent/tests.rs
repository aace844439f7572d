//! What is made of a configuration file, and of options besides.

use std::fs;

use cofferdam::UnixPathBuf;
use cofferdam::agent::GidRange;
use rstest::rstest;

use super::*;

/// The agent of these options, one of which may be a file with this name and this text.
fn agent(name: &str, text: &[u8], options: &[(&str, &str)]) -> Result<Agent, ConfigFileError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    let option = |name: &str| options.iter().find(|option| option.0 == name).map(|option| option.1.into());
    AgentArguments { agent_config: Some(path), work_dir: option("work_dir"), runtime_dir: option("runtime_dir") }
        .agent()
}

fn defaults() -> AgentConfig {
    AgentConfig::new(Layout { work_dir: "/var/lib/cofferdam".into(), runtime_dir: "/run/cofferdam".into() })
}

/// What is said of a file, after its path.
#[track_caller]
fn message(name: &str, text: &[u8]) -> String {
    let message = agent(name, text, &[]).unwrap_err().to_string();
    let (_, message) = message.split_once(name).unwrap();
    message.to_owned()
}

/// The examples in the documentation.
fn examples() -> [&'static str; 2] {
    let mut parts = include_str!("../../../docs/agent-config.md").split("```toml\n").skip(1);
    [(); 2].map(|()| parts.next().and_then(|part| part.split("```").next()).unwrap())
}

#[test]
fn the_first_example_of_the_documentation_says_the_defaults() {
    let agent = agent("agent.toml", examples()[0].as_bytes(), &[]).unwrap();
    assert_eq!(agent.config, defaults());
    assert!(!agent.has_default_work_dir, "it says which");
}

#[test]
fn the_second_example_of_the_documentation_says_what_it_seems_to() {
    let config = agent("agent.toml", examples()[1].as_bytes(), &[]).unwrap().config;
    assert_eq!(config.layout.work_dir, UnixPathBuf::from("/var/lib/mesos"));
    assert_eq!(config.layout.runtime_dir, defaults().layout.runtime_dir);
    assert_eq!(config.isolation, ["filesystem/linux", "namespaces/pid"]);
    assert_eq!(config.volume_gid_range, Some(GidRange::new(10000, 20000).unwrap()));
    assert_eq!(config.devices, ["null", "urandom", "zero"]);
    assert_eq!(config.readonly_paths.len(), 3);
    assert_eq!(config.tmpfs_sizes[&"/dev/shm".into()], "10%");
    assert_eq!((config.masked_paths, config.special_mounts), (defaults().masked_paths, defaults().special_mounts));
}

#[test]
fn every_key_is_in_the_documentation() {
    let schema = cofferdam::schema::schema("agent-config").unwrap();
    for key in schema["properties"].as_object().unwrap().keys() {
        assert!(include_str!("../../../docs/agent-config.md").contains(&format!("\n| `{key}` | ")), "{key}");
    }
}

#[test]
fn without_a_file_there_are_the_defaults() {
    let agent = AgentArguments { agent_config: None, work_dir: None, runtime_dir: None }.agent().unwrap();
    assert_eq!(agent.config, defaults());
    assert!(agent.has_default_work_dir);
}

#[rstest]
#[case("agent.toml", "devices = ['null']")]
#[case("agent.TOML", "devices = ['null']")]
#[case("agent", "devices = ['null']")]
#[case("agent.conf", "# {\ndevices = ['null']")]
#[case("agent.json", "{\"devices\":[\"null\"]}")]
#[case("agent.Json", " {\"devices\":[\"null\"]}\n")]
#[case("agent", "\n {\"devices\":[\"null\"]}")]
#[case("agent.conf", "{\"devices\":[\"null\"]}")]
fn the_format_is_told_by_the_name_or_the_first_character(#[case] name: &str, #[case] text: &str) {
    let agent = agent(name, text.as_bytes(), &[]).unwrap();
    assert_eq!(agent.config, AgentConfig { devices: vec!["null".into()], ..defaults() });
    assert!(agent.has_default_work_dir);
}

#[test]
fn options_count_more_than_the_file() {
    let text = b"work_dir = '/w'\nruntime_dir = '/r'\nsandbox_directory = '/s'";
    let agent = agent("agent.toml", text, &[("work_dir", "/option")]).unwrap();
    let layout = Layout { work_dir: "/option".into(), runtime_dir: "/r".into() };
    assert_eq!(agent.config, AgentConfig { sandbox_directory: "/s".into(), ..AgentConfig::new(layout) });
    assert!(!agent.has_default_work_dir);
}

#[rstest]
#[case("agent.toml", "a = ", ":1:5: ")]
#[case(
    "agent.toml",
    "work_dir = \"/w\"\n\nwork_dirr = 1",
    ":3:1: work_dirr: unknown field `work_dirr`, expected one of"
)]
#[case("agent.toml", "work_dir = '/w'\nwork_dir = '/w'", ":2:1: duplicate key")]
#[case("agent.toml", "devices = ['a',\n  5]", ":2:3: devices[1]: invalid type: integer `5`, expected a string")]
#[case("agent.toml", "isolation = 5", ":1:13: isolation: it must be names with commas in between, or an array of")]
#[case("agent.toml", "[[special_mounts]]\ntype = 'proc'", ":1:1: special_mounts[0]: missing field `target`")]
#[case("agent.toml", "special_mounts = [['/a']]", ":1:19: special_mounts[0]: invalid type: sequence, expected a table")]
#[case("agent.toml", "tmpfs_sizes.'/dev' = 5", ":1:22: tmpfs_sizes.\"/dev\": invalid type: integer")]
#[case("agent.toml", "{\"devices\": []}", ":1:1: ")]
#[case(
    "agent.toml",
    "# \u{e9}\u{e9}\ndevices = [\"\u{e9}\", 'a/b']",
    ":2:17: devices[1]: it must be the name of a device"
)]
#[case("agent.toml", "[tmpfs_sizes]\n'/a' = '1m'", ":2:8: tmpfs_sizes.\"/a\": no tmpfs is mounted on \"/a\"")]
#[case(
    "agent.toml",
    "[[special_mounts]]\ntarget = '/a'\nflags = ['bind', 'nosiud']",
    ":3:18: special_mounts[0].flags[1]: unknown flag \"nosiud\"; known are ro, nosuid,"
)]
// The type is missing: the table is where it should be.
#[case("agent.toml", "\n[[special_mounts]]\ntarget = '/a'", ":2:1: special_mounts[0].type: there must be a type")]
// What the default table has is nowhere in the file.
#[case("agent.toml", "sandbox_directory = '/sys/fs'", ": special_mounts[7].target: \"/sys/fs/cgroup\" would be hidden")]
#[case("agent.json", "", ":1:1: EOF while parsing a value")]
#[case("agent.json", "{\"work_dir\": \"/w\"", ":1:17: EOF while parsing an object")]
#[case("agent.json", "{} {}", ":1:4: trailing characters")]
#[case("agent.json", "[\"/w\"]", ":1:1: invalid type: sequence, expected a table")]
#[case("agent.json", "{\n\"devices\": [\"a\", 5]}", ":2:18: devices[1]: invalid type: integer `5`, expected a string")]
#[case("agent.json", "{\"devices\": [\"a\", \"b/c\"]}", ": devices[1]: it must be the name of a device in /dev, but")]
#[case("agent", "{\"work_dirr\": 1}", ":1:12: work_dirr: unknown field `work_dirr`")]
fn mistakes_are_told_by_their_place(#[case] name: &str, #[case] text: &str, #[case] expected: &str) {
    let message = message(name, text.as_bytes());
    assert!(message.starts_with(expected), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
fn every_mistake_has_a_line_of_its_own() {
    let text = b"work_dir = 'w'\ndevices = ['a/b', 'c/d']\ntmpfs_sizes = { '/dev' = '0' }";
    let message = agent("agent.toml", text, &[]).unwrap_err().to_string();
    let lines: Vec<_> = message.lines().map(|line| line.split_once("agent.toml:").unwrap().1).collect();
    let starts = ["1:12: work_dir: ", "2:12: devices[0]: ", "2:19: devices[1]: ", "3:26: tmpfs_sizes.\"/dev\": "];
    assert_eq!(lines.len(), starts.len(), "{message}");
    assert!(lines.iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{message}");
}

#[rstest]
#[case("agent.toml", b"work_dir = '/\xff'", " is no agent configuration: it is not UTF-8 after 13 bytes")]
#[case("agent.json", b"\xff", " is no agent configuration: it is not UTF-8 after 0 bytes")]
fn what_is_no_text_is_told(#[case] name: &str, #[case] text: &[u8], #[case] expected: &str) {
    assert_eq!(message(name, text), expected);
}

#[test]
fn a_file_without_an_end_is_not_read_to_it() {
    let text = vec![b'#'; usize::try_from(LONGEST).unwrap() + 1];
    assert_eq!(message("agent.toml", &text), " is no agent configuration: it is longer than 4194304 bytes");
    assert_eq!(agent("agent.toml", &text[1..], &[]).unwrap().config, defaults());
}

#[test]
fn a_file_that_can_not_be_read_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let agent_config = Some(directory.path().join("missing.toml"));
    let error = AgentArguments { agent_config, work_dir: None, runtime_dir: None }.agent().unwrap_err().to_string();
    assert!(error.starts_with("cannot read the agent's configuration ") && error.contains("missing.toml: "), "{error}");
}
