//! stream - names what people are doing while their sensors are read: one model, a stream and a thread for each.
//!
//!     cargo run --release --example stream [RECORDING.csv ... | -]
//!
//! A recording is a line of nine numbers for every sample at 50 Hz; a first line "# standing" says what it is; `-` is
//! standard input, row by row as they come.  Every 128 rows, the length that the model was trained on, a new episode
//! begins.  Halfway through each the stream is saved and taken up again by a fresh state, as a program does that was
//! stopped and started: it goes on as if nothing had happened.  Printed (the shipped recordings):
//!
//!     walking-upstairs.csv     128 rows: walking upstairs (99 %)
//!     standing.csv             256 rows: standing (100 %)
//!     walking-upstairs.csv     256 rows: walking upstairs (93 %)
//!     ...
//!     13 of 13 windows named rightly, 1920 rows, a saved stream is 1.8 KB
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use krait::{Lane, Model, State};

const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models");
const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../motion");
const WINDOW: usize = 128;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What one stream adds up to.
#[derive(Default)]
struct Tally {
    rows: usize,
    windows: usize,
    right: usize,
    saved: usize,
}

/// The name of a class, its spaces written as in recordings.
fn class(model: &Model, number: usize) -> String {
    let names = model.text("classes").unwrap_or("");
    names
        .split(',')
        .nth(number)
        .map_or(format!("class {number}"), |name| name.trim().replace('_', " "))
}

/// The likeliest class and its probability; the model gives logarithms.
fn likeliest(scores: &[f32]) -> (usize, f32) {
    let best = (0..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best });
    let sum: f32 = scores.iter().map(|score| (score - scores[best]).exp()).sum();
    (best, 1.0 / sum)
}

/// As a program does that was stopped and started again.
fn take_up(state: State, tally: &mut Tally) -> Result<State, Failure> {
    let saved = state.save(Lane::All)?;
    tally.saved = saved.len();
    let mut fresh = state.model().state()?;
    fresh.load(Lane::All, &saved)?;
    Ok(fresh)
}

fn watch(
    model: &Model,
    name: &str,
    lines: impl BufRead,
    say: &dyn Fn(String),
) -> Result<Tally, Failure> {
    let mut state = model.state()?;
    let mut scores = vec![0.0; model.out_width()];
    let (mut tally, mut truth) = (Tally::default(), None);
    for line in lines.lines() {
        let line = line?;
        if let Some(said) = line.strip_prefix('#') {
            truth = Some(said.trim().to_string());
            continue;
        }
        let row: Vec<f32> =
            line.split(',').map(|number| number.trim().parse()).collect::<Result<_, _>>()?;
        state.step(&row, &mut scores)?;
        tally.rows += 1;
        match tally.rows % WINDOW {
            64 => state = take_up(state, &mut tally)?,
            0 => {
                let (best, sure) = likeliest(&scores);
                let told = class(model, best);
                say(format!("{name:24}{:4} rows: {told} ({:.0} %)", tally.rows, 100.0 * sure));
                tally.windows += 1;
                tally.right += usize::from(truth.as_ref().map_or(true, |truth| *truth == told));
                state.reset(Lane::All)?;
            }
            _ => {}
        }
    }
    Ok(tally)
}

fn watch_file(model: &Model, path: &str, say: &dyn Fn(String)) -> Result<Tally, Failure> {
    if path == "-" {
        return watch(model, "standard input", io::stdin().lock(), say);
    }
    let name = Path::new(path).file_name().map_or(path.into(), |name| name.to_string_lossy());
    let file = File::open(path).map_err(|error| format!("{path}: {error}"))?;
    watch(model, &name, BufReader::new(file), say)
        .map_err(|error| format!("{path}: {error}").into())
}

fn recordings() -> Result<Vec<String>, Failure> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    if !given.is_empty() {
        return Ok(given);
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(RECORDINGS)? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == "csv") {
            paths.push(path.to_string_lossy().into_owned());
        }
    }
    paths.sort();
    Ok(paths)
}

fn main() -> Result<(), Failure> {
    let model = Model::open(format!("{MODELS}/s5-har.safetensors"))?;
    let paths = recordings()?;
    let (send, lines) = mpsc::channel();
    let tallies: Vec<Result<Tally, Failure>> = thread::scope(|scope| {
        let mut threads = Vec::new();
        for path in &paths {
            let (send, model) = (send.clone(), &model);
            let say = move |line| send.send(line).unwrap_or(());
            threads.push(scope.spawn(move || watch_file(model, path, &say)));
        }
        drop(send);
        for line in lines {
            let _ = writeln!(io::stdout(), "{line}");
        }
        threads.into_iter().map(|thread| thread.join().expect("a stream's thread")).collect()
    });
    let mut all = Tally::default();
    for tally in tallies {
        let tally = tally?;
        all.rows += tally.rows;
        all.windows += tally.windows;
        all.right += tally.right;
        all.saved = all.saved.max(tally.saved);
    }
    let kilobytes = all.saved as f32 / 1000.0;
    println!(
        "{} of {} windows named rightly, {} rows, a saved stream is {kilobytes:.1} KB",
        all.right, all.windows, all.rows
    );
    Ok(())
}
