//! Builtins that programs of the same names share code with: `echo`, `printf`, `test`.

use crate::interpreter::Shell;
use crate::interpreter::stop::{Executed, Stop};
use crate::programs::{echo, printf, test};

impl Shell {
    /// Prints what a builtin prints; an error is one of the builtin, not of the shell.
    pub(super) async fn print_as(&mut self, name: &[u8], text: &[u8]) -> Executed {
        if let Ok(()) = self.print(text).await {
            Ok(0)
        } else {
            self.complain(&[name, b": ", name, b": I/O error"].concat()).await;
            Ok(1)
        }
    }

    pub(super) async fn echo(&mut self, arguments: &[Vec<u8>]) -> Executed {
        self.print_as(b"echo", &echo::of_shell(arguments)).await
    }

    pub(super) async fn printf(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let arguments = arguments.strip_prefix(&[b"--".to_vec()]).unwrap_or(arguments);
        let Some((format, arguments)) = arguments.split_first() else {
            return Err(Stop::fatal("usage: printf format [arg ...]"));
        };
        let printed = printf::format(format, arguments, printf::Dialect::Shell);
        for message in &printed.messages {
            self.complain(&[b"printf: ", &message[..]].concat()).await;
        }
        let status = self.print_as(b"printf", &printed.output).await?;
        Ok(status.max(printed.status))
    }

    pub(super) fn test(&self, name: &[u8], arguments: &[Vec<u8>]) -> Executed {
        let arguments = if name == b"[" {
            match arguments.split_last() {
                Some((last, arguments)) if last == b"]" => arguments,
                _ => return Err(Stop::fatal("missing ]")),
            }
        } else {
            arguments
        };
        match test::evaluate(&self.process, arguments) {
            Ok(is_true) => Ok(i32::from(!is_true)),
            Err(problem) => Err(Stop::Fatal(problem.of_shell())),
        }
    }
}
