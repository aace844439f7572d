//! `trap`

use crate::interpreter::Shell;
use crate::interpreter::signals;
use crate::interpreter::stop::{Executed, Stop};
use crate::interpreter::trap::EXIT;
use crate::interpreter::variables::quoted;

impl Shell {
    pub(super) async fn trap(&mut self, arguments: &[Vec<u8>]) -> Executed {
        let (_, operands) = match arguments.first() {
            // A hyphen is the default, no option.
            Some(first) if first == b"-" => (Vec::new(), arguments),
            _ => super::options(arguments, b"")?,
        };
        let Some((action, signals)) = operands.split_first() else {
            let mut text = Vec::new();
            for (signal, action) in self.traps.iter() {
                let name = if signal == EXIT { "EXIT" } else { signals::name(signal).unwrap_or("?") };
                text.extend_from_slice(&[b"trap -- ", &quoted(action)[..], b" ", name.as_bytes(), b"\n"].concat());
            }
            self.print(&text).await?;
            return Ok(0);
        };
        // Without an action, or with a number in its place, all are signals that get the default.
        let is_number = !action.is_empty() && action.iter().all(u8::is_ascii_digit);
        let (action, signals) = if signals.is_empty() || is_number {
            (None, operands)
        } else {
            ((action != b"-").then_some(&action[..]), signals)
        };
        let mut status = 0;
        for word in signals {
            if let Some(signal) = signals::parse(word) {
                self.set_trap(signal, action);
            } else {
                self.write_error(&[b"trap: ", &word[..], b": bad trap\n"].concat()).await;
                status = 1;
            }
        }
        if status == 0 { Ok(0) } else { Ok::<i32, Stop>(status) }
    }
}
