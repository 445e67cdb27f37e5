//! The comparison as a picture: what went on since the start, and within the window that ends at each instant.

use std::path::Path;

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::{Run, SPAN, crowd};

/// Size in pixels.
const SIZE: (u32, u32) = (960, 840);
/// Between two points of a line.
const STEP_US: usize = 10_000;
/// Told apart by those who see no red or green (Okabe and Ito).
const COLOURS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws both charts into one SVG file.
///
/// # Errors
/// When the file cannot be written.
pub fn draw(file: &Path, runs: &[Run]) -> anyhow::Result<()> {
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    let failed = |error: DrawingAreaErrorKind<_>| anyhow!("{error}");
    root.fill(&WHITE).map_err(failed)?;
    let (above, below) = root.split_vertically(SIZE.1 / 2);
    let offered: Vec<u64> = crowd().collect();
    chart(&above, "Requests that went on since the start (grey: offered)", 420, runs, &offered, Run::by)?;
    let window_us = runs.first().map_or(0, |run| run.limit.quota().window().as_micros() as u64);
    let within = |run: &Run, at: u64| run.by(at) - at.checked_sub(window_us).map_or(0, |from| run.by(from));
    chart(&below, "Requests that went on within the last window (2 s; the burst is 40)", 90, runs, &[], within)?;
    root.present().map_err(failed)
}

fn chart(
    area: &Area<'_>,
    title: &str,
    top: usize,
    runs: &[Run],
    offered: &[u64],
    value: impl Fn(&Run, u64) -> usize,
) -> anyhow::Result<()> {
    let failed = |error: DrawingAreaErrorKind<_>| anyhow!("{error}");
    let seconds = |at_us: u64| at_us as f64 / 1_000_000.0;
    let instants = || (0..=SPAN.as_micros() as u64).step_by(STEP_US);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(32)
        .y_label_area_size(44)
        .build_cartesian_2d(0.0..SPAN.as_secs_f64(), 0..top)
        .map_err(failed)?;
    chart.configure_mesh().x_desc("seconds").light_line_style(WHITE).draw().map_err(failed)?;
    let came = |at: u64| offered.partition_point(|came| *came <= at);
    if !offered.is_empty() {
        let points = instants().map(|at| (seconds(at), came(at))).take_while(|(_, count)| *count <= top);
        chart.draw_series(LineSeries::new(points, RGBColor(160, 160, 160).stroke_width(1))).map_err(failed)?;
    }
    for (run, colour) in runs.iter().zip(COLOURS) {
        let points = instants().map(|at| (seconds(at), value(run, at)));
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))
            .map_err(failed)?
            .label(run.limit.algorithm().name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()
        .map_err(failed)
}
