//! mount(8) of util-linux 2.38.1: the same calls of mount(2), messages and exit statuses.
//!
//! There are no loop devices, no labels of filesystems, no helper programs (`mount.TYPE`); options for mount(8) itself, such
//! as `x-foo`, are not remembered anywhere.

mod all;
mod attempt;
mod fstab;
mod message;
mod options;

use std::rc::Rc;

use cofferdam::kernel::MountFlags;

use super::util_linux::table::is_tag;
use super::util_linux::{Usage, enter_mount_namespace, short_name, warn};
use crate::execution::Execution;
use crate::getopt::{Order, Parsed, Takes, option};
use attempt::{Attempt, Request};
use options::Options;

const USAGE: Usage = Usage {
    options: &[
        option("all", 'a', "all", Takes::Nothing),
        option("fake", 'f', "fake", Takes::Nothing),
        option("fstab", 'T', "fstab", Takes::Argument),
        option("fork", 'F', "fork", Takes::Nothing),
        option("help", 'h', "help", Takes::Nothing),
        option("no-mtab", 'n', "no-mtab", Takes::Nothing),
        option("read-only", 'r', "read-only", Takes::Nothing),
        option("read-only", '\0', "ro", Takes::Nothing),
        option("verbose", 'v', "verbose", Takes::Nothing),
        option("version", 'V', "version", Takes::Nothing),
        option("read-write", 'w', "read-write", Takes::Nothing),
        option("read-write", '\0', "rw", Takes::Nothing),
        option("options", 'o', "options", Takes::Argument),
        option("test-opts", 'O', "test-opts", Takes::Argument),
        option("types", 't', "types", Takes::Argument),
        option("uuid", 'U', "uuid", Takes::Argument),
        option("label", 'L', "label", Takes::Argument),
        option("bind", 'B', "bind", Takes::Nothing),
        option("move", 'M', "move", Takes::Nothing),
        option("rbind", 'R', "rbind", Takes::Nothing),
        option("make-shared", '\0', "make-shared", Takes::Nothing),
        option("make-slave", '\0', "make-slave", Takes::Nothing),
        option("make-private", '\0', "make-private", Takes::Nothing),
        option("make-unbindable", '\0', "make-unbindable", Takes::Nothing),
        option("make-rshared", '\0', "make-rshared", Takes::Nothing),
        option("make-rslave", '\0', "make-rslave", Takes::Nothing),
        option("make-rprivate", '\0', "make-rprivate", Takes::Nothing),
        option("make-runbindable", '\0', "make-runbindable", Takes::Nothing),
        option("mkdir", 'm', "mkdir", Takes::Optional),
        option("no-canonicalize", 'c', "no-canonicalize", Takes::Nothing),
        option("internal-only", 'i', "internal-only", Takes::Nothing),
        option("sloppy", 's', "", Takes::Nothing),
        option("show-labels", 'l', "show-labels", Takes::Nothing),
        option("target", '\0', "target", Takes::Argument),
        option("target-prefix", '\0', "target-prefix", Takes::Argument),
        option("source", '\0', "source", Takes::Argument),
        option("options-mode", '\0', "options-mode", Takes::Argument),
        option("options-source", '\0', "options-source", Takes::Argument),
        option("options-source-force", '\0', "options-source-force", Takes::Nothing),
        option("namespace", 'N', "namespace", Takes::Argument),
    ],
    order: Order::Permute,
    exclusive: &[&["bind", "move", "rbind"], &["label", "uuid", "source"]],
    refused: &["fork", "test-opts", "options-mode", "options-source", "options-source-force"],
    mistake: message::USAGE,
    synopsis: &[
        "[-lhV]",
        "-a [options]",
        "[options] [--source] <source> | [--target] <directory>",
        "[options] <source> <directory>",
        "<operation> <mountpoint> [<target>]",
    ],
};

/// mount(8)
pub(super) async fn mount(execution: &mut Execution) -> i32 {
    let parsed = match USAGE.take(execution).await {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    match requested(execution, &parsed).await {
        Ok(asked) => asked.carry_out(execution, parsed).await,
        Err(status) => status,
    }
}

/// What the options ask for.
struct Asked {
    request: Request,
    /// Bind or move.
    has_operation: bool,
    changes_propagation: bool,
    types: Option<Vec<u8>>,
}

async fn requested(execution: &mut Execution, parsed: &Parsed) -> Result<Asked, i32> {
    let request = Request { uses_tables: true, may_swap: true, ..Request::default() };
    let mut asked = Asked { request, has_operation: false, changes_propagation: false, types: None };
    for (id, value) in &parsed.options {
        asked.take(execution, id, value.as_deref().unwrap_or_default()).await?;
    }
    Ok(asked)
}

impl Asked {
    async fn take(&mut self, execution: &mut Execution, id: &str, value: &[u8]) -> Result<(), i32> {
        let request = &mut self.request;
        match id {
            "fake" => request.is_fake = true,
            "no-canonicalize" => request.keeps_paths = true,
            "read-only" => {
                request.is_read_write_only = false;
                self.append(execution, b"ro").await?;
            }
            "read-write" => {
                request.is_read_write_only = true;
                self.append(execution, b"rw").await?;
            }
            "options" => self.append_list(execution, value).await?,
            "label" => self.set_source([b"LABEL=\"", value, b"\""].concat()),
            "uuid" => self.set_source([b"UUID=\"", value, b"\""].concat()),
            "source" => self.set_source(value.to_vec()),
            "target" => {
                request.may_swap = false;
                request.target = Some(value.to_vec());
            }
            "target-prefix" => request.target_prefix = Some(value.to_vec()),
            "types" => self.types = Some(value.to_vec()),
            "fstab" => {
                let Some(lines) = fstab::read(execution, value).await else {
                    warn(execution, [value, b": failed to parse"].concat()).await;
                    return Err(message::USAGE);
                };
                let known = self.request.fstab.take().map(|lines| lines.to_vec()).unwrap_or_default();
                self.request.fstab = Some(Rc::new([known, lines].concat()));
            }
            "bind" | "rbind" => {
                self.has_operation = true;
                self.append(execution, id.as_bytes()).await?;
            }
            "move" => self.set_move(),
            "mkdir" => {
                let mode = value.strip_prefix(b"=").unwrap_or(value);
                let quoted = [b"X-mount.mkdir=\"", mode, b"\""].concat();
                self.append(execution, if mode.is_empty() { b"X-mount.mkdir" } else { &quoted }).await?;
            }
            "namespace" => enter_mount_namespace(execution, value).await?,
            _ => {
                if let Some(kind) = id.strip_prefix("make-") {
                    self.changes_propagation = true;
                    self.append(execution, kind.as_bytes()).await?;
                }
            }
        }
        Ok(())
    }

    fn set_source(&mut self, source: Vec<u8>) {
        self.request.may_swap = false;
        self.request.source = Some(source);
    }

    fn set_move(&mut self) {
        self.has_operation = true;
        self.request.extra |= MountFlags::MS_MOVE;
    }

    async fn append(&mut self, execution: &mut Execution, list: &[u8]) -> Result<(), i32> {
        if list.first().is_some_and(|byte| b"='\" \t".contains(byte)) {
            warn(execution, [b"unsupported option format: ", list].concat()).await;
            return Err(message::USAGE);
        }
        let options = Options::parse(list);
        if options.has(b"X-mount.subdir") || options.has_prefix(b"verity.") {
            warn(execution, [b"option '", list, b"' is not simulated"].concat()).await;
            return Err(message::USAGE);
        }
        self.request.options.append(options);
        Ok(())
    }

    /// The argument of `-o`, in which `move` is no option of the kernel's.
    async fn append_list(&mut self, execution: &mut Execution, list: &[u8]) -> Result<(), i32> {
        if !Options::parse(list).has(b"move") {
            return self.append(execution, list).await;
        }
        self.set_move();
        let mut rest = Options::parse(list);
        rest.remove(b"move");
        self.append(execution, &rest.text()).await
    }

    async fn carry_out(mut self, execution: &mut Execution, parsed: Parsed) -> i32 {
        let all = parsed.has("all");
        let names_nothing = self.request.source.is_none() && self.request.target.is_none();
        if names_nothing && parsed.operands.is_empty() && !all {
            if self.has_operation || !self.request.options.is_empty() {
                return USAGE.bad_usage(execution).await;
            }
            return all::show(execution, self.types.as_deref()).await;
        }
        if self.has_operation && (self.types.is_some() || all || self.request.source.is_some()) {
            return USAGE.bad_usage(execution).await;
        }
        if let Some(types) = self.types.take() {
            if all || types.contains(&b',') || types.starts_with(b"no") {
                self.request.pattern = Some(types);
            } else {
                self.request.kind = Some(types);
            }
        }
        let is_verbose = parsed.has("verbose");
        let is_remount = self.request.options.flags().contains(MountFlags::MS_REMOUNT);
        if all {
            // What is mounted is what fstab and the mount table say.
            let request = Request { source: None, target: None, kind: None, ..self.request };
            return if is_remount {
                all::remount_all(execution, request, is_verbose).await
            } else {
                all::mount_all(execution, request, is_verbose).await
            };
        }
        if let Err(status) = self.take_operands(execution, parsed.operands).await {
            return status;
        }
        self.request.uses_tables = !(self.has_operation && !is_remount || self.changes_propagation);
        let attempt = Attempt::make(execution, self.request).await;
        let status = attempt.report(execution).await;
        if status == 0 && is_verbose && attempt.called == Some(Ok(())) {
            let name = short_name(execution).to_vec();
            execution.print(attempt.success(&name));
        }
        status
    }

    async fn take_operands(&mut self, execution: &mut Execution, operands: Vec<Vec<u8>>) -> Result<(), i32> {
        let (has_source, has_target) = (self.request.source.is_some(), self.request.target.is_some());
        let mut operands = operands.into_iter();
        match (operands.next(), operands.next(), operands.next()) {
            (None, ..) if has_source || has_target => {}
            (Some(one), None, _) if !(has_source && has_target) => {
                let is_tag = is_tag(&one);
                if is_tag && has_source {
                    warn(execution, "source specified more than once").await;
                    return Err(message::USAGE);
                }
                if is_tag || has_target {
                    self.request.source = Some(one);
                } else {
                    self.request.target = Some(one);
                }
            }
            (Some(source), Some(target), None) if !has_source && !has_target => {
                self.request.source = Some(source);
                self.request.target = Some(target);
            }
            _ => return Err(USAGE.bad_usage(execution).await),
        }
        Ok(())
    }
}
