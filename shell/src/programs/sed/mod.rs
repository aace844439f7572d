//! sed(1): GNU sed 4.9.

mod input;
mod output;
mod parser;
mod reader;
mod replacement;
mod run;
mod script;

use cofferdam::kernel::{Errno, Fd};

use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option, parse as getopt};

use reader::{Chunk, Origin};
use run::{Run, Settings, Stop};

const KNOWN: &[Opt] = &[
    option("silent", 'n', "quiet", Takes::Nothing),
    option("silent", '\0', "silent", Takes::Nothing),
    option("expression", 'e', "expression", Takes::Argument),
    option("file", 'f', "file", Takes::Argument),
    option("extended", 'E', "regexp-extended", Takes::Nothing),
    option("extended", 'r', "", Takes::Nothing),
    option("in-place", 'i', "in-place", Takes::Optional),
    option("line-length", 'l', "line-length", Takes::Argument),
    option("posix", '\0', "posix", Takes::Nothing),
    option("separate", 's', "separate", Takes::Nothing),
    option("unbuffered", 'u', "unbuffered", Takes::Nothing),
    option("null-data", 'z', "null-data", Takes::Nothing),
    option("zero-terminated", '\0', "zero-terminated", Takes::Nothing),
    option("--debug", '\0', "debug", Takes::Nothing),
    option("--follow-symlinks", '\0', "follow-symlinks", Takes::Nothing),
    option("--sandbox", '\0', "sandbox", Takes::Nothing),
    option("help", '\0', "help", Takes::Nothing),
    option("version", '\0', "version", Takes::Nothing),
];

const USAGE: &[u8] = b"Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n\n";

/// sed(1)
pub(crate) async fn sed(execution: &mut Execution) -> i32 {
    let arguments = execution.arguments.get(1..).unwrap_or_default().to_vec();
    let mut parsed = match getopt(KNOWN, Order::Permute, &arguments) {
        Ok(parsed) => parsed,
        Err(message) => {
            execution.warn(message).await;
            execution.write_error(USAGE).await;
            return 1;
        }
    };
    if parsed.has("help") {
        execution.print(USAGE);
        return 0;
    }
    if parsed.has("version") {
        execution.print("sed (GNU sed) 4.9\n");
        return 0;
    }
    if let Some((id, _)) = parsed.options.iter().find(|(id, _)| id.starts_with("--")) {
        execution.warn(format!("option '{id}' is not simulated")).await;
        return 1;
    }
    if !parsed.has("expression") && !parsed.has("file") {
        if parsed.operands.is_empty() {
            execution.write_error(USAGE).await;
            return 1;
        }
        let script = parsed.operands.remove(0);
        parsed.options.push(("expression", Some(script)));
    }
    match run(execution, &parsed).await {
        Ok(status) => status,
        Err(Stop::Message { message, status }) => {
            // What was printed before comes before the message.
            if let Err(errno) = execution.flush().await
                && errno == Errno::EPIPE
            {
                return 4;
            }
            execution.warn(message).await;
            status
        }
        Err(Stop::Errno(Errno::EPIPE)) => 4,
        Err(Stop::Errno(errno)) => {
            execution.warn(format!("couldn't write to output: {}", errno.description())).await;
            4
        }
    }
}

async fn run(execution: &mut Execution, parsed: &crate::getopt::Parsed) -> Result<i32, Stop> {
    let chunks = chunks(execution, parsed).await?;
    let script = parser::parse(chunks, parsed.has("extended"))
        .map_err(|mistake| Stop::Message { message: mistake.message, status: mistake.status })?;
    let in_place = parsed.has("in-place").then(|| parsed.value("in-place").unwrap_or_default().to_vec());
    let delimiter = if parsed.has("null-data") || parsed.has("zero-terminated") { 0 } else { b'\n' };
    let line_length = match parsed.value("line-length") {
        None => 70,
        Some(text) => {
            if let Some(length) = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()) {
                length
            } else {
                let message = [b"invalid line length: ", text].concat();
                return Err(Stop::Message { message, status: 1 });
            }
        }
    };
    let settings = Settings {
        is_silent: parsed.has("silent") || script.is_silent,
        in_place: in_place.clone(),
        line_length,
        is_posix: parsed.has("posix"),
        delimiter,
    };
    let mut files = parsed.operands.clone();
    if files.is_empty() {
        if in_place.is_some() {
            return Err(Stop::Message { message: b"no input files".to_vec(), status: 4 });
        }
        files.push(b"-".to_vec());
    }
    let input = input::Input::new(files, parsed.has("separate"), in_place.is_some(), delimiter);
    let outputs = output::Outputs::new(delimiter, in_place.is_some(), parsed.has("unbuffered"));
    let mut run = Run::new(&script, settings, input, outputs);
    let status = run.run(execution).await?;
    Ok(if status == 0 { run.input.status } else { status })
}

/// The pieces of the script, in the order of their options.
async fn chunks(execution: &mut Execution, parsed: &crate::getopt::Parsed) -> Result<Vec<Chunk>, Stop> {
    let (mut chunks, mut count) = (Vec::new(), 0);
    for (id, value) in &parsed.options {
        let value = value.clone().unwrap_or_default();
        match *id {
            "expression" => {
                count += 1;
                chunks.push(Chunk { origin: Origin::Expression(count), text: value });
            }
            "file" => {
                let content = if value == b"-" {
                    execution.read_to_end(Fd::STDIN).await
                } else {
                    execution.read_file(&value).await
                };
                let content = content.map_err(|errno| {
                    let reason = errno.description();
                    let message = [b"couldn't open file ", &value[..], b": ", reason.as_bytes()].concat();
                    Stop::Message { message, status: 4 }
                })?;
                let text = content.strip_suffix(b"\n").map(<[u8]>::to_vec).unwrap_or(content);
                chunks.push(Chunk { origin: Origin::File(value), text });
            }
            _ => {}
        }
    }
    Ok(chunks)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use crate::testing::Trial;

    #[test]
    fn files_are_edited_in_place() {
        let trial = Trial::new();
        let silent = (0, String::new(), String::new());
        assert_eq!(trial.run_with_input(&["sed", "-n", "w /tmp/file"], b"a\nb\nc\n"), silent);
        assert_eq!(trial.run_words(&["sed", "-i.old", "s/b/x/;$d", "/tmp/file"]), silent);
        assert_eq!(trial.run_words(&["sed", "p", "-n", "/tmp/file"]), (0, "a\nx\n".into(), String::new()));
        assert_eq!(trial.run_words(&["sed", "-n", "$=", "/tmp/file.old"]), (0, "3\n".into(), String::new()));
        // What is behind `q` is lost, as with the real one.
        assert_eq!(trial.run_words(&["sed", "-i", "1q", "/tmp/file"]), silent);
        assert_eq!(trial.run_words(&["grep", "-c", "", "/tmp/file"]), (0, "1\n".into(), String::new()));
    }

    #[test]
    fn a_recursive_search_finds_files_below() {
        let trial = Trial::new();
        trial.run_with_input(&["sed", "-n", "w /tmp/file"], b"needle\n");
        let found = (0, "/tmp/file:needle\n".into(), String::new());
        assert_eq!(trial.run_words(&["grep", "-r", "needle", "/tmp"]), found);
        assert_eq!(trial.run_words(&["grep", "-r", "--exclude=f*", "needle", "/tmp"]).0, 1);
    }
}
