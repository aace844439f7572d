//! Whole commands that run `/bin/true` in a container: cofferdam's, and those of others.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::arguments::Programs;
use crate::host::Host;

/// A command that is measured.
pub struct CommandLine {
    command: Command,
    complaints: PathBuf,
}

impl CommandLine {
    fn new(host: &Host, command: Command, name: &str) -> Result<Self, Failure> {
        Ok(Self { command, complaints: host.directory("complaints")?.join(name) })
    }

    /// From before it is started until it has ended.
    pub fn measure(&mut self) -> Result<Duration, Failure> {
        self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&self.complaints)?);
        let begin = Instant::now();
        let status = self.command.status();
        let elapsed = begin.elapsed();
        let program = self.command.get_program().display().to_string();
        let status = status.map_err(|error| format!("cannot start {program}: {error}"))?;
        if !status.success() {
            let complaints = fs::read_to_string(&self.complaints).unwrap_or_default();
            return Err(format!("{program} ended with {status}: {}", complaints.trim()).into());
        }
        Ok(elapsed)
    }
}

/// `cofferdam run`
pub fn cofferdam(host: &Host, program: &Path, rootfs: &Path) -> Result<CommandLine, Failure> {
    let layout = host.layout("run")?;
    let mut command = Command::new(program);
    command.arg("run").arg("--rootfs").arg(rootfs);
    command.args(["--work-dir", &layout.work_dir.to_string(), "--runtime-dir", &layout.runtime_dir.to_string()]);
    command.args(["--", "/bin/true"]);
    CommandLine::new(host, command, "cofferdam")
}

/// `bwrap` with the root filesystem, a proc and devices: less than a container of the others has.
pub fn bwrap(host: &Host, program: &Path, rootfs: &Path) -> Result<CommandLine, Failure> {
    let mut command = Command::new(program);
    command.arg("--bind").arg(rootfs).args(["/", "--proc", "/proc", "--dev", "/dev", "/bin/true"]);
    CommandLine::new(host, command, "bwrap")
}

/// `unshare` of util-linux: mount and pid namespaces, a chroot and a proc, and nothing else.
pub fn unshare(host: &Host, rootfs: &Path) -> Result<CommandLine, Failure> {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--mount-proc", "--root"]).arg(rootfs).arg("/bin/true");
    CommandLine::new(host, command, "unshare")
}

/// `runc run` of a bundle as `runc spec` makes it.
pub fn runc(host: &Host, program: &Path, rootfs: &Path) -> Result<CommandLine, Failure> {
    let bundle = host.directory("bundle")?;
    let spec = Command::new(program).args(["spec", "--bundle"]).arg(&bundle).output()?;
    if !spec.status.success() {
        return Err(format!("runc spec: {}", String::from_utf8_lossy(&spec.stderr).trim()).into());
    }
    let path = bundle.join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)?;
    config["process"]["args"] = serde_json::json!(["/bin/true"]);
    config["process"]["terminal"] = false.into();
    config["root"]["path"] = rootfs.to_str().ok_or("the rootfs is not UTF-8")?.into();
    fs::write(&path, serde_json::to_vec(&config)?)?;
    let mut command = Command::new(program);
    command.arg("--root").arg(host.directory("runc")?).args(["run", "--bundle"]).arg(&bundle);
    command.arg(format!("cofferdam-performance-{}", std::process::id()));
    CommandLine::new(host, command, "runc")
}

/// The programs, as arguments of another process of this run.
pub fn pass_on(programs: &Programs, command: &mut Command) {
    let Programs { rootfs, cofferdam, replayer, bwrap, runc } = programs;
    let named = [
        ("--rootfs", rootfs),
        ("--cofferdam", cofferdam),
        ("--replayer", replayer),
        ("--bwrap", bwrap),
        ("--runc", runc),
    ];
    for (name, path) in named {
        if let Some(path) = path {
            command.arg(name).arg(path);
        }
    }
}
