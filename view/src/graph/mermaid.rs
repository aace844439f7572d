//! For Mermaid, which Markdown on many sites has.

use std::fmt::Write as _;

use super::{Picture, Place};

/// The picture as a Mermaid flowchart.
pub fn mermaid(picture: &Picture) -> String {
    let mut text = String::from("flowchart LR\n");
    for (number, area) in picture.areas.iter().enumerate() {
        let title = if area.title.is_empty() { "mounts" } else { &area.title };
        let _ = writeln!(text, "  subgraph n{number}[{}]", quoted(title));
        for (index, mount) in area.mounts.iter().enumerate() {
            let name = Place { area: number, mount: index }.name();
            let mut lines = vec![quoted_part(&mount.mountpoint), quoted_part(&mount.filesystem)];
            if !mount.propagation.is_empty() {
                lines.push(quoted_part(&mount.propagation));
            }
            let _ = writeln!(text, "    {name}[\"{}\"]", lines.join("<br>"));
            if let Some(parent) = mount.parent {
                let _ = writeln!(text, "    {} --- {name}", Place { area: number, mount: parent }.name());
            }
        }
        text.push_str("  end\n");
    }
    for group in &picture.groups {
        let hub = format!("g{}", group.number);
        let _ = writeln!(text, "  {hub}([\"peer group {}\"])", group.number);
        for peer in &group.peers {
            let _ = writeln!(text, "  {} <==> {hub}", peer.name());
        }
        for slave in &group.slaves {
            let _ = writeln!(text, "  {hub} -.-> {}", slave.name());
        }
    }
    text
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", quoted_part(text))
}

/// Text is HTML there, and some characters have a meaning even in quotes: those are written as numbers.
fn quoted_part(text: &str) -> String {
    let mut quoted = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() || " /._-:,@+=[]()".contains(character) || !character.is_ascii() {
            quoted.push(character);
        } else {
            let _ = write!(quoted, "#{};", u32::from(character));
        }
    }
    quoted
}
