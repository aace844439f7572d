//! For Graphviz (`dot -Tsvg`).

use std::fmt::Write as _;

use super::{Picture, Place};

/// The picture in the language of Graphviz.
pub fn dot(picture: &Picture) -> String {
    let mut text =
        String::from("digraph mounts {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=monospace];\n");
    for (number, area) in picture.areas.iter().enumerate() {
        let _ = writeln!(text, "  subgraph cluster_{number} {{\n    label={};", quoted(&area.title));
        for (index, mount) in area.mounts.iter().enumerate() {
            let name = Place { area: number, mount: index }.name();
            let mut lines = vec![mount.mountpoint.as_str(), mount.filesystem.as_str()];
            lines.extend(Some(mount.propagation.as_str()).filter(|propagation| !propagation.is_empty()));
            let style = if mount.is_hidden { ", style=\"rounded,dashed\"" } else { "" };
            let _ = writeln!(text, "    {name} [label={}{style}];", quoted(&lines.join("\n")));
            if let Some(parent) = mount.parent {
                let _ =
                    writeln!(text, "    {} -> {name} [arrowhead=none];", Place { area: number, mount: parent }.name());
            }
        }
        text.push_str("  }\n");
    }
    for group in &picture.groups {
        let hub = format!("group_{}", group.number);
        let label = quoted(&format!("peer group {}", group.number));
        let _ = writeln!(text, "  {hub} [shape=ellipse, style=filled, fillcolor=lightgrey, label={label}];");
        for peer in &group.peers {
            let _ = writeln!(text, "  {} -> {hub} [dir=both, style=bold, constraint=false];", peer.name());
        }
        for slave in &group.slaves {
            let _ = writeln!(text, "  {hub} -> {} [style=dashed, constraint=false];", slave.name());
        }
    }
    text.push_str("}\n");
    text
}

/// A string of the language, in which a backslash begins an escape.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
