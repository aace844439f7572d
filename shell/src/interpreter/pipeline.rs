//! Pipelines, and what is in the background.

use brush_parser::ast;
use cofferdam::kernel::{Fd, Kernel as _, OpenHow, Pid, Signal, SignalAction};

use super::Shell;
use super::stop::{Executed, Stop};
use super::subshell::Task;

impl Shell {
    /// Executes a pipeline, each command of which is a process of its own if there are several.
    pub(super) async fn pipeline(&mut self, pipeline: &ast::Pipeline) -> Executed {
        let began = self.machine.clock();
        let status = match &pipeline.seq[..] {
            [] => 0,
            [command] => self.command(command).await?,
            commands => {
                self.between_commands().await?;
                let pids = self.start_stages(commands)?;
                let mut status = 0;
                for pid in pids {
                    status = self.wait_for_foreground(pid).await;
                }
                self.status = status;
                self.check_errexit(status)?
            }
        };
        if pipeline.timed.is_some() {
            let time = self.machine.clock().saturating_sub(began);
            let real = format!("{}m{}.{:03}s", time.as_secs() / 60, time.as_secs() % 60, time.subsec_millis());
            self.write_error(format!("\nreal\t{real}\nuser\t0m0.000s\nsys\t0m0.000s\n").as_bytes()).await;
        }
        Ok(status)
    }

    fn start_stages(&mut self, commands: &[ast::Command]) -> Result<Vec<Pid>, Stop> {
        let mut pids = Vec::new();
        let mut input = None;
        for (index, command) in commands.iter().enumerate() {
            let output = if index + 1 < commands.len() { Some(self.pipe()?) } else { None };
            let (pid, child) = self.fork()?;
            if let Some(input) = input {
                child.put(input, Fd::STDIN);
            }
            if let Some((reader, writer)) = output {
                let _ = child.process.close(reader);
                child.put(writer, Fd::STDOUT);
            }
            child.start(Task::Command(Box::new(command.clone())));
            pids.push(pid);
            for end in input.into_iter().chain(output.map(|(_, writer)| writer)) {
                let _ = self.process.close(end);
            }
            input = output.map(|(reader, _)| reader);
        }
        Ok(pids)
    }

    /// Starts a list in the background: `&`.
    pub(super) async fn background(&mut self, list: &ast::AndOrList) -> Result<(), Stop> {
        self.between_commands().await?;
        let has_job_control = self.options.has(b'm');
        let (pid, child) = self.fork()?;
        if !has_job_control {
            // Nobody at the keyboard means it.
            for signal in [Signal::INT, Signal::QUIT] {
                let _ = child.process.sigaction(signal, SignalAction::Ignore);
            }
            child.read_nothing();
        }
        child.start(Task::AndOr(Box::new(list.clone())));
        self.jobs.add(pid, list.to_string().trim().to_owned());
        self.status = 0;
        Ok(())
    }

    /// Lets standard input be `/dev/null`.
    fn read_nothing(&self) {
        let how = OpenHow::default();
        let _ = self.process.close(Fd::STDIN);
        if let Ok(fd) = self.process.openat2(Fd::CWD, cofferdam::UnixPath::new("/dev/null"), how)
            && fd != Fd::STDIN
        {
            self.put(fd, Fd::STDIN);
        }
    }
}
