//! The same bits as the command, which is C: outputs, states, texts and hashes of the shipped models.
//!
//! KRAIT_COMMAND names the command; without it the one that `make` put into lib/ is taken, if it is there.

use std::path::{Path, PathBuf};
use std::process::Command;

use krait::{Input, Lane, Mode, Model, Pool, Sampler, StateOptions};

const MODELS: &str = "../../models";

fn command() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("KRAIT_COMMAND") {
        return Some(path.into());
    }
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../lib/krait");
    if !made.exists() {
        eprintln!("skipped: KRAIT_COMMAND names no command, and lib/krait is not made");
    }
    made.exists().then_some(made)
}

fn krait(command: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(command).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

// ---- NumPy's files ----

fn write_npy(path: &Path, kind: &str, shape: &[usize], bytes: &[u8]) {
    let shape: String = shape.iter().map(|size| format!("{size},")).collect();
    let mut head = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    while (10 + head.len() + 1) % 64 != 0 {
        head.push(' ');
    }
    head.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((head.len() as u16).to_le_bytes());
    file.extend(head.as_bytes());
    file.extend(bytes);
    std::fs::write(path, file).unwrap();
}

fn write_floats(path: &Path, shape: &[usize], values: &[f32]) {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    write_npy(path, "<f4", shape, &bytes);
}

fn write_tokens(path: &Path, shape: &[usize], values: &[i32]) {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    write_npy(path, "<i4", shape, &bytes);
}

/// The bits of a file of floats.
fn read_bits(path: &Path) -> Vec<u32> {
    let file = std::fs::read(path).unwrap();
    assert!(String::from_utf8_lossy(&file[..80]).contains("'<f4'"));
    let head = 10 + u16::from_le_bytes([file[8], file[9]]) as usize;
    file[head..].chunks(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// A folder for one test, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Between -1 and 1, the same every time.
fn noise(count: usize) -> Vec<f32> {
    let mut word = 12345u32;
    (0..count)
        .map(|_| {
            word = word.wrapping_mul(1664525).wrapping_add(1013904223);
            (word >> 8) as f32 / 8388608.0 - 1.0
        })
        .collect()
}

// ---- outputs ----

#[test]
fn tokens_give_the_command_s_logits_and_state() {
    let Some(command) = command() else { return };
    let scratch = Scratch::new("tokens");
    let path = format!("{MODELS}/mamba-novels.gguf");
    let text =
        b"It was a dark and stormy night; the rain fell in torrents and the wind cried, as if";
    let tokens: Vec<i32> = text[..80].iter().map(|byte| i32::from(*byte)).collect();
    write_tokens(&scratch.path("x.npy"), &[2, 40], &tokens);
    krait(
        &command,
        &[
            "run",
            &path,
            "--input",
            &scratch.text("x.npy"),
            "--output",
            &scratch.text("y.npy"),
            "--state-out",
            &scratch.text("s"),
            "--quiet",
        ],
    );
    let wanted = read_bits(&scratch.path("y.npy"));
    let model = Model::open(&path).unwrap();

    let mut many = model.state_with(&StateOptions::default().lanes(2).chunk(16)).unwrap();
    let output = many.run(Input::tokens(&tokens)).unwrap();
    assert_eq!(bits(&output.rows), wanted);
    assert_eq!((output.counts.as_slice(), output.stride), ([40, 40].as_slice(), 40));

    let mut one_by_one = model.state_with(&StateOptions::default().lanes(2)).unwrap();
    let rows = (0..40).map(|step| [tokens[step], tokens[40 + step]]);
    for (step, row) in one_by_one.steps(rows).enumerate() {
        let row = row.unwrap();
        for lane in 0..2 {
            let at = (lane * 40 + step) * 256;
            assert_eq!(bits(&row[lane * 256..][..256]), wanted[at..at + 256], "{lane} {step}");
        }
    }
    let saved = std::fs::read(scratch.path("s")).unwrap();
    assert_eq!(many.save(Lane::All).unwrap(), saved);
    assert_eq!(one_by_one.save(Lane::All).unwrap(), saved);
}

#[test]
fn features_give_the_command_s_rows_in_every_mode() {
    let Some(command) = command() else { return };
    let scratch = Scratch::new("features");
    let path = format!("{MODELS}/s4d-digits.safetensors");
    let samples = noise(300);
    write_floats(&scratch.path("x.npy"), &[300, 1], &samples);
    let model = Model::open(&path).unwrap();
    let pool = Pool::new(3);
    for (name, mode) in
        [("recurrent", Mode::Recurrent), ("scan", Mode::Scan), ("convolution", Mode::Convolution)]
    {
        let (x, y) = (scratch.text("x.npy"), scratch.text("y.npy"));
        krait(&command, &["run", &path, "--input", &x, "--output", &y, "--mode", name, "--quiet"]);
        let options = StateOptions::default().chunk(64).tasks(3);
        let mut state = model.state_with(&options).unwrap();
        let output = state.run(Input::features(&samples).mode(mode).parallel(&pool)).unwrap();
        assert_eq!(output.mode, mode);
        assert_eq!(bits(&output.rows), read_bits(&scratch.path("y.npy")), "{name}");
    }
}

#[test]
fn times_and_resets_give_the_command_s_rows() {
    let Some(command) = command() else { return };
    let scratch = Scratch::new("times");
    let path = format!("{MODELS}/s5-har.safetensors");
    let rows = noise(120 * 9);
    let dt: Vec<f32> = noise(120).iter().map(|x| x.abs() * 3.0).collect();
    let reset: Vec<bool> = (0..120).map(|step| step == 50 || step == 90).collect();
    write_floats(&scratch.path("x.npy"), &[120, 9], &rows);
    write_floats(&scratch.path("t.npy"), &[120], &dt);
    let marks: Vec<i32> = reset.iter().map(|on| i32::from(*on)).collect();
    write_tokens(&scratch.path("r.npy"), &[120], &marks);
    krait(
        &command,
        &[
            "run",
            &path,
            "--input",
            &scratch.text("x.npy"),
            "--output",
            &scratch.text("y.npy"),
            "--dt",
            &scratch.text("t.npy"),
            "--reset",
            &scratch.text("r.npy"),
            "--quiet",
        ],
    );
    let model = Model::open(&path).unwrap();
    assert!(model.uses_dt());
    let output = model.state().unwrap().run(Input::features(&rows).dt(&dt).reset(&reset)).unwrap();
    assert_eq!(bits(&output.rows), read_bits(&scratch.path("y.npy")));
}

#[test]
fn an_image_gives_the_command_s_scores() {
    let Some(command) = command() else { return };
    let scratch = Scratch::new("image");
    let path = format!("{MODELS}/vim-mnist.gguf");
    let pixels: Vec<f32> = noise(28 * 28).iter().map(|x| x.abs()).collect();
    write_floats(&scratch.path("x.npy"), &[1, 28 * 28], &pixels);
    let (x, y) = (scratch.text("x.npy"), scratch.text("y.npy"));
    krait(&command, &["run", &path, "--input", &x, "--output", &y, "--quiet"]);
    let model = Model::open(&path).unwrap();
    let mut scores = vec![0.0; model.out_width()];
    model.state().unwrap().step(&pixels, &mut scores).unwrap();
    assert_eq!(bits(&scores), read_bits(&scratch.path("y.npy")));
}

#[test]
fn text_is_the_command_s() {
    let Some(command) = command() else { return };
    let path = format!("{MODELS}/mamba-novels.gguf");
    for prompt in ["She opened the door and ", ""] {
        let said = krait(
            &command,
            &[
                "generate",
                &path,
                "--prompt",
                prompt,
                "--tokens",
                "120",
                "--seed",
                "5",
                "--temperature",
                "0.9",
                "--top-k",
                "40",
                "--repetition",
                "1.1",
                "--quiet",
            ],
        );
        let model = Model::open(&path).unwrap();
        let mut state = model.state().unwrap();
        let mut sampler = Sampler::new(5).temperature(0.9).top_k(40).repetition(1.1);
        let pieces = state.generate(prompt, &mut sampler, 120).unwrap();
        let text: String = pieces.collect::<Result<_, _>>().unwrap();
        assert!(text.len() >= 100);
        assert_eq!(text + "\n", String::from_utf8_lossy(&said));
    }
}

#[test]
fn hashes_are_the_command_s() {
    let Some(command) = command() else { return };
    for name in
        ["mamba-novels.gguf", "vim-mnist.gguf", "s4d-digits.safetensors", "s5-har.safetensors"]
    {
        let path = format!("{MODELS}/{name}");
        let said = String::from_utf8(krait(&command, &["info", &path, "--hash"])).unwrap();
        let model = Model::open(&path).unwrap();
        let hash = format!("{:016x}", model.hash().unwrap());
        assert!(said.contains(&hash), "{name}: {hash}\n{said}");
    }
}
