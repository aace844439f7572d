//! Plots of cost against the number of mounts, as SVG: both axes are logarithmic, and both have units.
//!
//! Colours are those of the reader's light or dark mode, on a background of their own; series differ in their marks as
//! well, and their names stand at their ends. What the plot shows is in its description, for who does not see it.

use std::fmt::Write as _;

use crate::results::{Row, rows_of};
use crate::tables::{float, name, nanoseconds, number, thousands};

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 88.0;
const RIGHT: f64 = 570.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 378.0;
/// Between the names of two series.
const LINE_HEIGHT: f64 = 17.0;

/// The colours of Okabe and Ito, which people tell apart who do not see all colours; on dark, lighter.
const STYLE: &str = "
text { font: 13px system-ui, 'DejaVu Sans', sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.background { fill: #ffffff; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.faint { stroke: #eaeef2; stroke-width: 1; }
.series { fill: none; stroke-width: 2; }
.mark { stroke: none; }
.c0 { stroke: #d55e00; } .m0 { fill: #d55e00; }
.c1 { stroke: #0072b2; } .m1 { fill: #0072b2; }
.c2 { stroke: #b0488f; } .m2 { fill: #b0488f; }
.c3 { stroke: #00805c; } .m3 { fill: #00805c; }
.c4 { stroke: #6e7781; } .m4 { fill: #6e7781; }
.c5 { stroke: #9a6700; } .m5 { fill: #9a6700; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.background { fill: #0d1117; }
.grid { stroke: #3d444d; }
.faint { stroke: #21262d; }
.c0 { stroke: #ff9248; } .m0 { fill: #ff9248; }
.c1 { stroke: #58b4f0; } .m1 { fill: #58b4f0; }
.c2 { stroke: #e59ccb; } .m2 { fill: #e59ccb; }
.c3 { stroke: #3fc79a; } .m3 { fill: #3fc79a; }
.c4 { stroke: #9ba5af; } .m4 { fill: #9ba5af; }
.c5 { stroke: #e3b341; } .m5 { fill: #e3b341; }
}
";

/// How many series have colours.
const COLOURS: usize = 6;

/// Medians of things against the number of mounts; those that were not measured are left out. Nothing if nothing was.
pub fn by_mounts(title: &str, rows: &[Row], order: &[&str]) -> Option<String> {
    let series = order.iter().filter_map(|what| {
        let points: Vec<_> =
            rows_of(rows, what).iter().map(|row| (number(row.mounts), float(row.summary.median))).collect();
        // Markdown's.
        let name = name(what).replace('`', "");
        (!points.is_empty()).then_some(Series { name, points })
    });
    let series: Vec<_> = series.take(COLOURS).collect();
    let x = Axis::of(series.iter().flat_map(|series| &series.points).map(|point| point.0), LEFT, RIGHT)?;
    let y = Axis::of(series.iter().flat_map(|series| &series.points).map(|point| point.1), BOTTOM, TOP)?;
    Some(Plot { title, series, x, y }.svg())
}

struct Series {
    name: String,
    points: Vec<(f64, f64)>,
}

/// A logarithmic axis.
struct Axis {
    least: f64,
    most: f64,
    /// Where it begins and ends on the page.
    from: f64,
    to: f64,
}

impl Axis {
    /// One that shows these values, all of them above 0; it begins and ends at round ones.
    fn of(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Option<Self> {
        let least = values.clone().reduce(f64::min)?;
        let most = values.reduce(f64::max)?;
        let round = |position: f64| 10_f64.powf(position);
        // Steps of a third of a decade, about 1, 2, 5; a single value is in the middle.
        let least = round(((least.log10() * 3.0).ceil() - 1.0) / 3.0);
        let most = round(((most.log10() * 3.0).floor() + 1.0) / 3.0);
        Some(Self { least, most, from, to })
    }

    fn position(&self, value: f64) -> f64 {
        let part = (value / self.least).ln() / (self.most / self.least).ln();
        self.from + part * (self.to - self.from)
    }

    /// The round values on it with the first digits `digits`.
    fn round_values(&self, digits: &[f64]) -> Vec<f64> {
        // Decades of nanoseconds or mounts.
        let decades = (0..16).map(|decade| 10_f64.powi(decade));
        let all = decades.flat_map(|decade| digits.iter().map(move |digit| digit * decade));
        all.filter(|value| (self.least * 0.999..=self.most * 1.001).contains(value)).collect()
    }
}

struct Plot<'t> {
    title: &'t str,
    series: Vec<Series>,
    x: Axis,
    y: Axis,
}

impl Plot<'_> {
    fn svg(&self) -> String {
        let mut svg = String::new();
        let _ = writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" role=\"img\" aria-labelledby=\"title description\">\n\
             <title id=\"title\">{}</title>\n<desc id=\"description\">{}</desc>\n<style>{STYLE}</style>\n\
             <rect class=\"background\" width=\"100%\" height=\"100%\"/>",
            escape(self.title),
            escape(&self.description())
        );
        self.axes(&mut svg);
        for (index, series) in self.series.iter().enumerate() {
            self.line(&mut svg, index, series);
        }
        self.names(&mut svg);
        svg.push_str("</svg>\n");
        svg
    }

    /// The same in words.
    fn description(&self) -> String {
        let mut text = String::from("Medians, both axes logarithmic.");
        for series in &self.series {
            let points = series.points.iter();
            let points = points.map(|(mounts, time)| format!("{} with {} mounts", nanoseconds(*time), count(*mounts)));
            let _ = write!(text, " {}: {}.", series.name, points.collect::<Vec<_>>().join(", "));
        }
        text
    }

    fn axes(&self, svg: &mut String) {
        for value in self.y.round_values(&[2.0, 5.0]) {
            horizontal(svg, "faint", self.y.position(value));
        }
        for value in self.y.round_values(&[1.0]) {
            horizontal(svg, "grid", self.y.position(value));
        }
        // A decade or two have few round values.
        let few = self.y.round_values(&[1.0]).len() < 3;
        for value in self.y.round_values(if few { &[1.0, 2.0, 5.0] } else { &[1.0] }) {
            text(svg, LEFT - 8.0, self.y.position(value) + 4.0, "end", &round_time(value));
        }
        for value in self.x.round_values(&[1.0, 3.0]) {
            let x = self.x.position(value);
            let _ = writeln!(svg, "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{BOTTOM}\"/>");
            text(svg, x, BOTTOM + 20.0, "middle", &count(value));
        }
        let _ = writeln!(svg, "<text class=\"title\" x=\"{LEFT}\" y=\"24\">{}</text>", escape(self.title));
        text(svg, f64::midpoint(LEFT, RIGHT), BOTTOM + 46.0, "middle", "mounts on the host");
        let middle = f64::midpoint(TOP, BOTTOM);
        let _ = writeln!(
            svg,
            "<text transform=\"rotate(-90)\" x=\"{:.1}\" y=\"16\" text-anchor=\"middle\">time, median</text>",
            -middle
        );
    }

    fn line(&self, svg: &mut String, index: usize, series: &Series) {
        let positions: Vec<_> = series.points.iter().map(|(x, y)| (self.x.position(*x), self.y.position(*y))).collect();
        let points: Vec<_> = positions.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(svg, "<polyline class=\"series c{index}\" points=\"{}\"/>", points.join(" "));
        for (x, y) in positions {
            mark(svg, index, x, y);
        }
    }

    /// Beside the ends of the lines, and not on top of each other.
    fn names(&self, svg: &mut String) {
        let end = |series: &Series| series.points.last().map_or(BOTTOM, |point| self.y.position(point.1));
        let mut names: Vec<_> =
            self.series.iter().enumerate().map(|(index, series)| (end(series), index, &series.name)).collect();
        names.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut free = TOP;
        for (index, name) in names.iter_mut().enumerate() {
            name.0 = name.0.max(free + number(index).min(1.0) * LINE_HEIGHT);
            free = name.0;
        }
        // What has been pushed below the axis goes up again.
        let mut free = BOTTOM + LINE_HEIGHT;
        for name in names.iter_mut().rev() {
            name.0 = name.0.min(free - LINE_HEIGHT);
            free = name.0;
        }
        for (y, index, name) in names {
            mark(svg, index, RIGHT + 16.0, y);
            text(svg, RIGHT + 26.0, y + 4.0, "start", name);
        }
    }
}

fn horizontal(svg: &mut String, class: &str, y: f64) {
    let _ = writeln!(svg, "<line class=\"{class}\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{RIGHT}\" y2=\"{y:.1}\"/>");
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escape(text));
}

/// A circle, square, triangle, diamond, triangle that points down, or cross.
fn mark(svg: &mut String, index: usize, x: f64, y: f64) {
    let path = match index {
        0 => "m-4.5,0 a4.5,4.5 0 1,0 9,0 a4.5,4.5 0 1,0 -9,0 z",
        1 => "m-4,-4 h8 v8 h-8 z",
        2 => "m0,-5.5 l5,9 h-10 z",
        3 => "m0,-5.5 l5.5,5.5 l-5.5,5.5 l-5.5,-5.5 z",
        4 => "m0,5.5 l5,-9 h-10 z",
        _ => "m-1.5,-5 h3 v3.5 h3.5 v3 h-3.5 v3.5 h-3 v-3.5 h-3.5 v-3 h3.5 z",
    };
    let _ = writeln!(svg, "<path class=\"mark m{index}\" d=\"M{x:.1},{y:.1} {path}\"/>");
}

/// A time of one digit and zeros.
fn round_time(time: f64) -> String {
    let (value, unit) = match time {
        _ if time < 1e3 => (time, "ns"),
        _ if time < 1e6 => (time / 1e3, "µs"),
        _ if time < 1e9 => (time / 1e6, "ms"),
        _ => (time / 1e9, "s"),
    };
    format!("{value:.0} {unit}")
}

fn count(value: f64) -> String {
    // A number of mounts.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
    let whole = value.round() as usize;
    thousands(whole)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Summary;
    use crate::tables::LAUNCHES;

    fn row(what: &str, mounts: usize, median: u64) -> Row {
        let summary = Summary { samples: 1, minimum: median, median, ninth_decile: median };
        Row { what: what.into(), mounts, containers: 1, summary }
    }

    #[test]
    fn values_lie_where_their_logarithms_do() {
        let axis = Axis { least: 10.0, most: 1000.0, from: 0.0, to: 200.0 };
        assert!((axis.position(100.0) - 100.0).abs() < 1e-9);
        assert_eq!(axis.round_values(&[1.0, 3.0]), [10.0, 30.0, 100.0, 300.0, 1000.0]);
    }

    #[test]
    fn all_values_are_on_the_axes() {
        for values in [vec![7.0], vec![1.0, 10.0], vec![23.0, 10_023.0], vec![2e6, 691e6]] {
            let axis = Axis::of(values.iter().copied(), 0.0, 1.0).unwrap();
            for value in values {
                assert!((0.0..=1.0).contains(&axis.position(value)), "{value}");
            }
        }
    }

    #[test]
    fn nothing_measured_is_no_plot() {
        assert_eq!(by_mounts("t", &[row("x", 1, 1)], &["run"]), None);
    }

    #[test]
    fn names_do_not_overlap_and_stay_in_the_picture() {
        let rows: Vec<_> = LAUNCHES.map(|what| row(what, 30, 1_000_000)).into();
        let svg = by_mounts("a <title>", &rows, &LAUNCHES).unwrap();
        assert!(svg.contains("<title id=\"title\">a &lt;title&gt;</title>"));
        let mut heights: Vec<f64> = svg
            .lines()
            .filter(|line| line.contains("text-anchor=\"start\""))
            .map(|line| line.split("y=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
            .collect();
        heights.sort_by(f64::total_cmp);
        assert_eq!(heights.len(), LAUNCHES.len());
        assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= LINE_HEIGHT - 0.11), "{heights:?}");
        assert!(heights[0] >= TOP && heights[LAUNCHES.len() - 1] <= BOTTOM + 5.0, "{heights:?}");
    }
}
