//! For browsers, and everything else that shows pictures.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::{Group, Mount, Picture, Place};
use crate::tree::DEEPEST;

/// In pixels, as all that follow.
const ROW: usize = 32;
const BOX: usize = 24;
const INDENT: usize = 22;
const MARGIN: usize = 16;
const TITLE: usize = 34;
/// Between two areas.
const GAP: usize = 14;
/// Between the lines of two peer groups.
const LANE: usize = 18;
/// What a character takes, in monospace fonts of the two sizes.
const LARGE: usize = 8;
const SMALL: usize = 7;

/// Colours that can be told apart with any kind of sight (Okabe and Ito), on white and on black.
const COLORS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9"];

const STYLE: &str = "\
text { font: 13px ui-monospace, 'DejaVu Sans Mono', monospace; fill: #1b1b1b; white-space: pre; }
.small { font-size: 11px; fill: #5f5f5f; }
.title { font-weight: bold; }
.area { fill: #f6f6f4; stroke: #c9c9c4; }
.mount { fill: #ffffff; stroke: #8a8a85; }
.hidden { stroke-dasharray: 4 3; fill: none; }
.tree { fill: none; stroke: #b0b0aa; }
.group { fill: none; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  svg { background: #16181a; }
  text { fill: #ececec; } .small { fill: #a9a9a9; } .area { fill: #1f2225; stroke: #44484c; }
  .mount { fill: #2a2e32; stroke: #7c8288; } .hidden { fill: none; } .tree { stroke: #5c6268; }
}
";

/// The picture as SVG, with its text as text, and a description for those who do not see it.
pub fn svg(picture: &Picture) -> String {
    let layout = Layout::of(picture);
    let mut text = String::new();
    let (width, height) = (layout.width, layout.height);
    let _ = writeln!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" aria-label=\"{}\">",
        escaped(&picture.summary())
    );
    let _ = writeln!(text, "<style>\n{STYLE}</style>");
    for (number, area) in picture.areas.iter().enumerate() {
        let top = layout.tops[number];
        let bottom = top + Layout::title(&area.title) + area.mounts.len() * ROW + MARGIN / 2;
        let (left, right) = (MARGIN, layout.right + MARGIN / 2);
        let _ = writeln!(
            text,
            "<rect class=\"area\" x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\" rx=\"8\"/>",
            right - left,
            bottom - top
        );
        if !area.title.is_empty() {
            let title = escaped(&area.title);
            let _ = writeln!(text, "<text class=\"title\" x=\"{}\" y=\"{}\">{title}</text>", left + 12, top + 22);
        }
        for (index, mount) in area.mounts.iter().enumerate() {
            write_mount(&mut text, &layout, Place { area: number, mount: index }, mount);
        }
    }
    for (position, group) in picture.groups.iter().enumerate() {
        write_group(&mut text, picture, &layout, position, group);
    }
    text.push_str("</svg>\n");
    text
}

fn write_mount(text: &mut String, layout: &Layout, place: Place, mount: &Mount) {
    let (x, y) = (layout.x(mount), layout.y(place));
    if let Some(parent) = mount.parent {
        let from = layout.y(Place { mount: parent, ..place }) + BOX / 2;
        let line = x - INDENT + INDENT / 2;
        let _ = writeln!(text, "<path class=\"tree\" d=\"M{line} {from}V{y}H{x}\"/>");
    }
    let class = if mount.is_hidden { "mount hidden" } else { "mount" };
    let notes = notes(mount);
    let _ = writeln!(text, "<g><title>{}</title>", escaped(&format!("{} {notes}", mount.mountpoint)));
    let _ = writeln!(
        text,
        "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"{}\" height=\"{BOX}\" rx=\"5\"/>",
        y - BOX / 2,
        width(mount)
    );
    let small = x + 10 + (mount.mountpoint.width() + 1) * LARGE;
    let _ = writeln!(
        text,
        "<text x=\"{}\" y=\"{}\">{}</text><text class=\"small\" x=\"{small}\" y=\"{}\">{}</text></g>",
        x + 10,
        y + 4,
        escaped(&mount.mountpoint),
        y + 4,
        escaped(&notes)
    );
}

/// What is in a box behind the mountpoint.
fn notes(mount: &Mount) -> String {
    let mut notes = mount.filesystem.clone();
    if mount.is_read_only {
        notes.push_str(" ro");
    }
    for note in [mount.propagation.as_str(), if mount.is_hidden { "hidden" } else { "" }] {
        if !note.is_empty() {
            notes.push_str(" · ");
            notes.push_str(note);
        }
    }
    notes
}

fn width(mount: &Mount) -> usize {
    20 + (mount.mountpoint.width() + 1) * LARGE + notes(mount).width() * SMALL
}

/// A line down the right side, to which the peers are joined, and from which arrows go to the slaves.
fn write_group(text: &mut String, picture: &Picture, layout: &Layout, position: usize, group: &Group) {
    let color = COLORS[position % COLORS.len()];
    let lane = layout.right + GAP + MARGIN + layout.lanes[position] * LANE;
    let rows = || group.peers.iter().chain(&group.slaves).map(|place| layout.y(*place));
    let (Some(top), Some(bottom)) = (rows().min(), rows().max()) else { return };
    let title = format!("peer group {}", group.number);
    let _ = writeln!(text, "<g class=\"group\" stroke=\"{color}\"><title>{title}</title>");
    let _ = writeln!(text, "<path d=\"M{lane} {top}V{bottom}\"/>");
    let right = |place: &Place| {
        let mount = &picture.areas[place.area].mounts[place.mount];
        layout.x(mount) + width(mount)
    };
    for peer in &group.peers {
        let (from, y) = (right(peer), layout.y(*peer));
        let _ = writeln!(
            text,
            "<path d=\"M{from} {y}H{lane}\"/><circle cx=\"{from}\" cy=\"{y}\" r=\"3\" fill=\"{color}\"/>"
        );
    }
    for slave in &group.slaves {
        // Below the line to its own peers.
        let (to, y) = (right(slave), layout.y(*slave) + 6);
        let tip = to + 1;
        let _ = writeln!(
            text,
            "<path d=\"M{lane} {}V{y}H{}\" stroke-dasharray=\"5 3\"/><path d=\"M{tip} {y}l7 -4v8z\" fill=\"{color}\" stroke=\"none\"/>",
            layout.y(*slave),
            tip + 6
        );
    }
    let number = group.number;
    let _ = writeln!(
        text,
        "<text class=\"small\" stroke=\"none\" x=\"{}\" y=\"{}\">{number}</text></g>",
        lane + 4,
        top + 4
    );
}

/// Where everything is.
struct Layout {
    /// The top of each area.
    tops: Vec<usize>,
    titles: Vec<usize>,
    /// The right edge of the widest box.
    right: usize,
    /// For each group, which line to the right of all boxes it is.
    lanes: Vec<usize>,
    width: usize,
    height: usize,
}

impl Layout {
    fn of(picture: &Picture) -> Self {
        let mut layout =
            Self { tops: Vec::new(), titles: Vec::new(), right: 0, lanes: Vec::new(), width: 0, height: MARGIN };
        for area in &picture.areas {
            layout.tops.push(layout.height);
            let title = Layout::title(&area.title);
            layout.titles.push(title);
            layout.height += title + area.mounts.len() * ROW + MARGIN / 2 + GAP;
            let edges = area.mounts.iter().map(|mount| layout.x(mount) + width(mount));
            layout.right =
                edges.chain([layout.right, 2 * MARGIN + area.title.width() * LARGE]).max().unwrap_or_default();
        }
        // A line is free again below the group that it was.
        let mut ends: Vec<usize> = Vec::new();
        let mut spans: Vec<(usize, usize, usize)> = Vec::new();
        for (position, group) in picture.groups.iter().enumerate() {
            let rows = || group.peers.iter().chain(&group.slaves).map(|place| layout.y(*place));
            spans.push((rows().min().unwrap_or_default(), rows().max().unwrap_or_default(), position));
        }
        spans.sort_unstable();
        layout.lanes = vec![0; picture.groups.len()];
        for (top, bottom, position) in spans {
            let lane = ends.iter().position(|end| *end + BOX < top).unwrap_or(ends.len());
            match ends.get_mut(lane) {
                Some(end) => *end = bottom,
                None => ends.push(bottom),
            }
            layout.lanes[position] = lane;
        }
        layout.width = layout.right + GAP + 2 * MARGIN + ends.len() * LANE + 24;
        layout
    }

    fn title(title: &str) -> usize {
        if title.is_empty() { MARGIN / 2 } else { TITLE }
    }

    /// The left edge of a box.
    #[allow(clippy::unused_self, reason = "as the other edges")]
    fn x(&self, mount: &Mount) -> usize {
        MARGIN + 12 + mount.depth.min(DEEPEST) * INDENT
    }

    /// The middle of a box.
    fn y(&self, place: Place) -> usize {
        self.tops[place.area] + self.titles[place.area] + place.mount * ROW + ROW / 2
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
