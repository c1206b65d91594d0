//! Draws plots as SVG: panels side by side with logarithmic axes, a legend below each.

use std::fmt::Write;

/// One plot of an image.
pub(crate) struct Panel {
    /// Name of the vertical axis.
    pub(crate) title: String,
    /// Name of the horizontal axis.
    pub(crate) grows: String,
    /// The lines.
    pub(crate) lines: Vec<Line>,
}

/// A line, shared by all calls with these points.
pub(crate) struct Line {
    /// Selects colour and dashes, the same in each panel.
    pub(crate) number: usize,
    /// Names of the calls.
    pub(crate) names: Vec<String>,
    /// Points from left to right, all above zero.
    pub(crate) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 408.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 76.0;
const PLOT: (f64, f64) = (320.0, 240.0);
/// Height of a line of text, and its characters in a legend.
const TEXT: f64 = 16.0;
const CHARACTERS: usize = 52;
/// Colours that differ on white and on black, also for colour-blind readers (Okabe and Ito, "Color Universal Design").
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a"];
const DASHES: [&str; 3] = ["none", "7 4", "2 3"];

const GRID: &str = "class=\"grid\"";
const STYLE: &str = "<style>text{font:12px system-ui,sans-serif;fill:#1f2328}.paper{fill:#ffffff}.grid{stroke:#d0d7de}
.title{font-weight:600;font-size:14px}line,polyline{fill:none}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.paper{fill:#0d1117}.grid{stroke:#3d444d}}</style>
";

/// Returns the image.
pub(crate) fn svg(title: &str, panels: &[Panel]) -> String {
    let legends: Vec<Vec<(usize, String)>> = panels.iter().map(legend).collect();
    let longest = legends.iter().map(Vec::len).max().unwrap_or_default();
    let (width, height) = (WIDTH * panels.len() as f64, TOP + PLOT.1 + 56.0 + TEXT * longest as f64);
    let mut image = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{0}</title>\n{STYLE}\
         <rect class=\"paper\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"28\">{0}</text>\n",
        escaped(title)
    );
    for (place, (panel, legend)) in panels.iter().zip(&legends).enumerate() {
        writeln!(image, "<g transform=\"translate({} 0)\">", WIDTH * place as f64).expect("memory");
        draw(&mut image, panel, legend);
        image.push_str("</g>\n");
    }
    image + "</svg>\n"
}

fn draw(image: &mut String, panel: &Panel, legend: &[(usize, String)]) {
    let (across, up) = axes(image, panel);
    for line in &panel.lines {
        let place = |(x, y): &(f64, f64)| format!("{:.1},{:.1}", across.place(*x), up.place(*y));
        let points: Vec<String> = line.points.iter().map(place).collect();
        writeln!(image, "<polyline {} points=\"{}\"/>", style(line.number), points.join(" ")).expect("memory");
    }
    for (row, (number, name)) in legend.iter().enumerate() {
        let y = TOP + PLOT.1 + 56.0 + TEXT * row as f64;
        if !name.starts_with(' ') {
            stroke(image, &style(*number), (8.0, y - 4.0), (48.0, y - 4.0));
        }
        text(image, (LEFT, y), "start", name.trim());
    }
}

/// Draws the axes: horizontally a tick for each measured size, vertically one for each power of ten.
fn axes(image: &mut String, panel: &Panel) -> (Axis, Axis) {
    let points = || panel.lines.iter().flat_map(|line| &line.points);
    let mut ticks: Vec<f64> = points().map(|point| point.0).collect();
    ticks.sort_by(f64::total_cmp);
    ticks.dedup();
    let (low, high) = points().fold((f64::MAX, 0.0_f64), |(low, high), point| (low.min(point.1), high.max(point.1)));
    let low = low.log10().floor() as i32;
    let powers: Vec<f64> = (low..=(high.log10().ceil() as i32).max(low + 1)).map(|power| 10_f64.powi(power)).collect();
    let (bottom, right) = (TOP + PLOT.1, LEFT + PLOT.0);
    let (across, up) = (Axis::new(&ticks, (LEFT, right)), Axis::new(&powers, (bottom, TOP)));
    for tick in ticks {
        let x = across.place(tick);
        stroke(image, GRID, (x, TOP), (x, bottom));
        text(image, (x, bottom + 18.0), "middle", &shown(tick));
    }
    for power in powers {
        let y = up.place(power);
        stroke(image, GRID, (LEFT, y), (right, y));
        text(image, (LEFT - 6.0, y + 4.0), "end", &shown(power));
    }
    text(image, (LEFT, TOP - 16.0), "start", &panel.title);
    text(image, (right, bottom + 36.0), "end", &panel.grows);
    (across, up)
}

/// A logarithmic axis between two coordinates.
struct Axis {
    from: f64,
    decades: f64,
    places: (f64, f64),
}

impl Axis {
    /// Spans the first tick to the last.
    fn new(ticks: &[f64], places: (f64, f64)) -> Self {
        let (low, high) = (ticks[0], ticks[ticks.len() - 1]);
        Self { from: low.log10(), decades: (high / low).log10().max(f64::MIN_POSITIVE), places }
    }

    fn place(&self, value: f64) -> f64 {
        self.places.0 + (self.places.1 - self.places.0) * (value.log10() - self.from) / self.decades
    }
}

/// Breaks the legend into lines of text, each with the number of its plot line. A continuation begins with a space.
fn legend(panel: &Panel) -> Vec<(usize, String)> {
    let mut legend: Vec<(usize, String)> = Vec::new();
    for line in &panel.lines {
        legend.push((line.number, String::new()));
        for (place, name) in line.names.iter().enumerate() {
            let name = if place + 1 < line.names.len() { format!("{name}; ") } else { name.clone() };
            match legend.last_mut() {
                Some((_, text)) if text.len() + name.len() <= CHARACTERS => text.push_str(&name),
                _ => legend.push((line.number, format!(" {name}"))),
            }
        }
    }
    legend
}

fn style(number: usize) -> String {
    let (colour, dash) = (COLOURS[number % COLOURS.len()], DASHES[number % DASHES.len()]);
    format!("stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"")
}

fn stroke(image: &mut String, style: &str, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    writeln!(image, "<line {style} x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>").expect("memory");
}

fn text(image: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    let text = escaped(text);
    writeln!(image, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>").expect("memory");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Formats a number with a thousands separator.
fn shown(value: f64) -> String {
    let text = value.to_string();
    match text.strip_suffix("000") {
        Some(thousands) => format!("{thousands},000"),
        None => text,
    }
}
