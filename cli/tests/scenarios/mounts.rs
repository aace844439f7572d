//! `cofferdam mounts`: what it says of propagation is what happens.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use cofferdam::kernel::MountFlags;
use serde_json::Value;

use crate::support::{COFFERDAM, Host, scenario};

/// The output of `cofferdam mounts --json`, in the mount namespace of a process if one is given.
fn mounts(inside: Option<u32>, arguments: &[&str]) -> Value {
    let mut command = match inside {
        Some(pid) => {
            let mut command = Command::new("nsenter");
            command.arg(format!("--mount=/proc/{pid}/ns/mnt")).arg(COFFERDAM);
            command
        }
        None => Command::new(COFFERDAM),
    };
    let output = command.arg("mounts").args(arguments).arg("--json").output().unwrap();
    assert_eq!(output.stderr, b"", "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn strings(values: &Value, key: &str) -> BTreeSet<String> {
    values.as_array().unwrap().iter().filter_map(|value| Some(value[key].as_str()?.to_owned())).collect()
}

fn save(host: &Host, name: &str, process: &str) -> String {
    let file = host.path(name);
    std::fs::copy(format!("/proc/{process}/mountinfo"), &file).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn what_is_mounted_appears_where_it_is_said_to() {
    scenario("what_is_mounted_appears_where_it_is_said_to", |host| {
        let path = |name: &str| host.path(name).to_str().unwrap().to_owned();
        for name in ["a", "b", "c", "alone"] {
            std::fs::create_dir(host.path(name)).unwrap();
        }
        host.mount("tmpfs", host.path("a"), MountFlags::empty(), "mode=755");
        host.propagation(host.path("a"), MountFlags::MS_SHARED, false);
        for part in ["x", "y"] {
            std::fs::create_dir(host.path("a").join(part)).unwrap();
        }
        host.bind(host.path("a"), host.path("b"));
        host.bind(host.path("a/x"), host.path("c"));
        host.propagation(host.path("c"), MountFlags::MS_SLAVE, false);
        let mut inside = Command::new("unshare")
            .args(["--mount", "--propagation", "slave", "sh", "-c", "echo; exec sleep 600"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Read::read_exact(&mut inside.stdout.take().unwrap(), &mut [0]).unwrap();

        for (number, place) in ["a/x", "b/y", "c", "alone"].into_iter().enumerate() {
            let predicted = mounts(None, &["--peers-of", &path(place)]);
            let receivers = predicted["receivers"].as_array().unwrap();
            let (there, here): (Vec<_>, Vec<_>) =
                receivers.iter().cloned().partition(|other| other.get("namespace").is_some());
            let before = save(host, &format!("before{number}"), "thread-self");
            let before_inside = save(host, &format!("inside{number}"), &inside.id().to_string());

            host.mount("tmpfs", host.path(place), MountFlags::empty(), "mode=755");

            let mut expected = strings(&Value::Array(here), "path");
            expected.insert(path(place));
            let added = mounts(None, &["--diff", &before])["added"].clone();
            assert_eq!(strings(&added, "target"), expected, "{place}: {predicted:#}");
            let added = mounts(Some(inside.id()), &["--diff", &before_inside])["added"].clone();
            assert_eq!(strings(&added, "target"), strings(&Value::Array(there), "path"), "{place}: {predicted:#}");
            host.umount(Path::new(&path(place)));
        }
        inside.kill().unwrap();
        inside.wait().unwrap();
    });
}
