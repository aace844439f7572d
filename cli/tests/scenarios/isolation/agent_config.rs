//! The agent's configuration file, in earnest.

use std::fs;

use crate::support::{Host, Outcome, Snapshot, scenario};

/// Runs a script in busybox with this configuration, in which `{host}` is the scenario's directory.
fn run(host: &Host, toml: &str, script: &str) -> Outcome {
    let file = host.path("agent.toml");
    let directory = host.path("");
    fs::write(&file, toml.replace("{host}", directory.to_str().unwrap().trim_end_matches('/'))).unwrap();
    let rootfs = if host.path("rootfs").exists() { host.path("rootfs") } else { host.busybox() };
    host.run().arg("--agent-config").arg(file).rootfs(rootfs).sh(script)
}

#[test]
fn read_only_paths_and_tmpfs_sizes_hold() {
    scenario("read_only_paths_and_tmpfs_sizes_hold", |host| {
        let toml = "
            readonly_paths = ['/bin', '/etc', '/nope', '/proc/driver']
            tmpfs_sizes = { '/dev/shm' = '64k' }
        ";
        let script = "
            for directory in /bin /etc; do
                touch $directory/new 2>/dev/null && echo $directory: written to
            done
            touch /new /dev/shm/new || echo elsewhere it can not be written
            dd if=/dev/zero of=/dev/shm/new bs=1k count=100 2>&1 | grep -o 'No space left'
            wc -c </dev/shm/new
            df -k /dev/shm | tail -n 1 | awk '{ print $2 }'
        ";
        assert_eq!(run(host, toml, script).success(), "No space left\n65536\n64\n");
        // The host's own can still be written.
        fs::write(host.path("rootfs/bin/new"), "").unwrap();
    });
}

#[test]
fn the_operators_tables_replace_the_default_ones() {
    scenario("the_operators_tables_replace_the_default_ones", |host| {
        let toml = "
            sandbox_directory = '/here'
            isolation = 'namespaces/ipc'
            devices = ['null', 'zero']
            masked_paths = []
            special_mounts = [
                { target = '/proc', type = 'proc' },
                { target = '/proc/sys', flags = ['bind', 'ro'] },
                { target = '/dev', type = 'tmpfs', options = 'mode=755' },
                { target = '/tmp', type = 'tmpfs', flags = ['noexec'], options = 'size=1m' },
                { target = '/run/here', source = '/etc', flags = ['bind', 'ro'] },
            ]
            tmpfs_sizes = { '/tmp' = '2m' }
        ";
        let script = "pwd; awk '{ print $5, $6 }' /proc/self/mountinfo | sort; grep ' /tmp ' /proc/self/mountinfo | grep -o size=.*";
        let expected = "\
            /here\n\
            / rw,relatime\n\
            /dev rw,relatime\n\
            /dev/null rw,relatime\n\
            /dev/zero rw,relatime\n\
            /here rw,relatime\n\
            /proc rw,relatime\n\
            /proc/sys ro,relatime\n\
            /run/here ro,relatime\n\
            /tmp rw,noexec,relatime\n\
            size=2048k\n";
        assert_eq!(run(host, toml, script).success().replace(",inode64", ""), expected);
    });
}

#[test]
fn a_sandbox_below_a_read_only_path_can_be_written() {
    scenario("a_sandbox_below_a_read_only_path_can_be_written", |host| {
        let rootfs = host.busybox();
        fs::create_dir_all(rootfs.join("mnt/mesos/sandbox")).unwrap();
        let script = "echo x >file && cat file; touch /mnt/new 2>/dev/null && echo written to";
        assert_eq!(run(host, "readonly_paths = ['/mnt']", &format!("{script}; true")).success(), "x\n");
        // Its mount point can't be made there.
        fs::remove_dir_all(rootfs.join("mnt")).unwrap();
        fs::create_dir(rootfs.join("mnt")).unwrap();
        let outcome = run(host, "readonly_paths = ['/mnt']", "true");
        let message = outcome.failure(125);
        assert!(message.contains("/rootfs/mnt/mesos\": EROFS"), "{message}");
    });
}

#[test]
fn a_link_of_the_image_leads_nothing_that_is_read_only_elsewhere() {
    scenario("a_link_of_the_image_leads_nothing_that_is_read_only_elsewhere", |host| {
        let rootfs = host.busybox();
        fs::create_dir(host.path("outside")).unwrap();
        std::os::unix::fs::symlink(host.path("outside"), rootfs.join("link")).unwrap();
        let outcome = run(host, "readonly_paths = ['/link']", "true");
        assert!(outcome.failure(125).contains("/rootfs/link\" is a symbolic link"), "{outcome:?}");
        fs::write(host.path("outside/new"), "").unwrap();
    });
}

#[test]
fn a_mistake_in_the_file_leaves_the_host_as_it_was() {
    scenario("a_mistake_in_the_file_leaves_the_host_as_it_was", |host| {
        host.busybox();
        let file = host.path("agent.toml");
        let toml = "devices = ['null']\n[[special_mounts]]\ntarget = '/proc'\ntype = 'proc'\nflags = ['nosiud']\n";
        fs::write(&file, toml).unwrap();
        let before = Snapshot::of(host, &[""]);
        let outcome = run(host, toml, "true");
        let expected = format!(
            "cofferdam: {}:5:10: special_mounts[0].flags[0]: unknown flag \"nosiud\"; known are ro, ",
            file.display()
        );
        assert!(outcome.failure(125).starts_with(&expected), "{outcome:?}");
        before.assert_unchanged(host, &[""]);
    });
}

#[test]
fn directories_of_the_file_are_used() {
    scenario("directories_of_the_file_are_used", |host| {
        let file = host.path("agent.json");
        let json = serde_json::json!({ "work_dir": host.work_dir(), "runtime_dir": host.runtime_dir() });
        fs::write(&file, json.to_string()).unwrap();
        let mut command = std::process::Command::new(crate::support::COFFERDAM);
        command.arg("run").arg("--agent-config").arg(file).args(["--id", "c", "--", "/bin/pwd"]);
        let sandbox = host.sandbox("c");
        assert_eq!(Outcome::of(command).success(), format!("{}\n", sandbox.display()));
        assert!(host.runtime_dir().join("containers").exists());
    });
}
